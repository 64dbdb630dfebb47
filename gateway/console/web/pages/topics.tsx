import { usePoll } from '../api.ts'
import { isDrifting } from '../parts/drift.tsx'
import { FunctionState } from '../parts/function-state.tsx'
import { GroupState } from '../parts/group-state.tsx'
import { toHash } from '../router.ts'
import type { FunctionShape, List, Topic } from '../shapes.ts'
import { Badge } from '../ui/badge.tsx'
import { Empty, Failure } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { Count, Duration, Time, Unknown } from '../ui/values.tsx'

interface Row extends Topic {
  readonly shape: FunctionShape | undefined
}

/** Every topic with the group that reads it. */
export function TopicsPage() {
  const topics = usePoll<List<Topic>>('/api/topics', 3_000)
  const functions = usePoll<List<FunctionShape>>('/api/functions', 5_000)
  const rows = topics.data?.items.map(topic => ({
    ...topic,
    shape: functions.data?.items.find(one => one.topic === topic.topic)
  }))

  return (
    <Page title="Topics" description="What each function reads, and how far it is." actions={<Stale of={topics} />}>
      <Panel flush>
        {!rows && topics.error ? (
          <Failure error={topics.error} what="topics" onRetry={() => void topics.reload()} />
        ) : (
          <Table
            label="Topics"
            columns={columns}
            rows={rows}
            rowKey={({ topic }) => topic}
            rowHref={({ topic }) => toHash(['topics', topic])}
            empty={<Empty title="No topics">Put a file into functions/: its name is its topic.</Empty>}
          />
        )}
      </Panel>
    </Page>
  )
}

const columns: readonly Column<Row>[] = [
  { header: 'Topic', cell: ({ topic }) => topic },
  { header: 'Function', cell: ({ shape }) => (shape ? <FunctionState of={shape} /> : <Unknown />) },
  { header: 'Group', cell: topic => <GroupState of={topic} /> },
  { header: 'Partitions', align: 'end', cell: topic => <Partitions of={topic} /> },
  { header: 'Lag', align: 'end', cell: ({ lag }) => <Count value={lag} /> },
  { header: 'Oldest', align: 'end', minor: true, cell: ({ lagSeconds }) => <Duration seconds={lagSeconds} /> },
  { header: 'Settled', align: 'end', cell: ({ messageCount }) => <Count value={messageCount} /> },
  { header: 'Dead letters', align: 'end', cell: ({ deadLetterCount }) => <Count value={deadLetterCount} /> },
  {
    header: 'Last settled',
    align: 'end',
    minor: true,
    cell: ({ lastMessageAt }) => <Time value={lastMessageAt} empty="never" />
  }
]

function Partitions({ of: topic }: { readonly of: Row }) {
  if (!isDrifting(topic, topic.shape)) return <Count value={topic.partitions.length} />
  return (
    <Badge tone="warn" title="The topic is not as its function says">
      {topic.partitions.length} drifts
    </Badge>
  )
}
