import { usePoll } from '../api.ts'
import { DriftNotice } from '../parts/drift.tsx'
import { GroupState } from '../parts/group-state.tsx'
import { LogBar } from '../parts/log-bar.tsx'
import { toHash } from '../router.ts'
import type { FunctionShape, Topic, TopicPartition } from '../shapes.ts'
import { LinkButton } from '../ui/button.tsx'
import { Stat } from '../ui/definitions.tsx'
import { Empty, Failure, Skeleton } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { Count, Duration, Time, Unknown } from '../ui/values.tsx'

/** One topic: its partitions with their logs and positions, and who reads them. */
export function TopicPage({ topic: name }: { readonly topic: string }) {
  const path = encodeURIComponent(name)
  const topic = usePoll<Topic>(`/api/topics/${path}`, 3_000)
  const shape = usePoll<FunctionShape>(`/api/functions/${path}`, 10_000)

  return (
    <Page
      title={name}
      badge={topic.data && <GroupState of={topic.data} />}
      back={{ to: '#/topics', label: 'Topics' }}
      description={topic.data && <span class="mono">{topic.data.group}</span>}
      actions={
        <>
          <Stale of={topic} />
          <LinkButton to={toHash(['functions', name])}>Function</LinkButton>
          <LinkButton to={toHash(['messages'], { topic: name })}>Messages</LinkButton>
          <LinkButton to={toHash(['produce', name])}>Produce</LinkButton>
        </>
      }
    >
      {topic.data ? (
        <Content topic={topic.data} shape={shape.data} />
      ) : (
        <Panel>
          {topic.error ? (
            <Failure error={topic.error} what={`topic ${name}`} onRetry={() => void topic.reload()} />
          ) : (
            <Skeleton />
          )}
        </Panel>
      )}
    </Page>
  )
}

function Content({ topic, shape }: { readonly topic: Topic; readonly shape: FunctionShape | undefined }) {
  return (
    <>
      <DriftNotice topic={topic} shape={shape} />
      <Panel>
        <div class="stats">
          <Stat label="Lag" value={<Count value={topic.lag} />} unit="records" />
          <Stat label="Oldest not settled" value={<Duration seconds={topic.lagSeconds} />} />
          <Stat label="Settled" value={<Count value={topic.messageCount} />} />
          <Stat label="Dead letters" value={<Count value={topic.deadLetterCount} />} />
          <Stat label="Last settled" value={<Time value={topic.lastMessageAt} empty="never" />} />
        </div>
      </Panel>
      <Panel
        title="Partitions"
        description="What Kafka holds from start to end, and the position: what is handled next. PostgreSQL owns it."
        flush
      >
        <Table
          label="Partitions"
          columns={partitionColumns}
          rows={topic.partitions}
          rowKey={({ partition }) => String(partition)}
          empty={<Empty title="Kafka has no such topic">A part that starts with TOPIC_CREATE makes it.</Empty>}
        />
      </Panel>
      <Panel title="Members" description="Runners that read this topic now." flush>
        <Table
          label="Members"
          columns={memberColumns}
          rows={topic.members}
          rowKey={({ memberId }) => memberId}
          empty={<Empty title="Nobody reads this topic">Start a runner, or see whether the function is stopped.</Empty>}
        />
      </Panel>
    </>
  )
}

const partitionColumns: readonly Column<TopicPartition>[] = [
  { header: 'Partition', cell: ({ partition }) => <span class="num">Partition {partition}</span> },
  { header: 'Log', grow: true, cell: partition => <LogBar of={partition} /> },
  { header: 'Start', align: 'end', minor: true, cell: ({ logStartOffset }) => <Count value={logStartOffset} /> },
  { header: 'Position', align: 'end', cell: ({ nextOffset }) => <Count value={nextOffset} /> },
  { header: 'Kafka’s commit', align: 'end', minor: true, cell: ({ currentOffset }) => <Count value={currentOffset} /> },
  { header: 'End', align: 'end', cell: ({ logEndOffset }) => <Count value={logEndOffset} /> },
  { header: 'Lag', align: 'end', cell: ({ lag }) => <Count value={lag} /> },
  {
    header: 'Leader',
    align: 'end',
    minor: true,
    cell: ({ leader }) => (leader === null ? <Unknown why="no leader" /> : <span class="num">{leader}</span>)
  },
  {
    header: 'In sync',
    align: 'end',
    minor: true,
    cell: ({ replicas, inSyncReplicas }) => (
      <span class="num" title={`replicas ${replicas.join(', ')}; in sync ${inSyncReplicas.join(', ')}`}>
        {inSyncReplicas.length}/{replicas.length}
      </span>
    )
  }
]

const memberColumns: readonly Column<Topic['members'][number]>[] = [
  { header: 'Client', cell: ({ clientId }) => <span class="wrap">{clientId}</span> },
  { header: 'Host', cell: ({ host }) => host.replace(/^\//, '') },
  { header: 'Partitions', cell: ({ partitions }) => <span class="num">{partitions.join(', ') || 'none'}</span> },
  { header: 'Member', grow: true, minor: true, mono: true, cell: ({ memberId }) => memberId }
]
