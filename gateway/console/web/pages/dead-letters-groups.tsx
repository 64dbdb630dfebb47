import { usePoll } from '../api.ts'
import { toWords } from '../dead-letter-words.ts'
import { toCount } from '../format.ts'
import type { DeadLetterGroup, DeadLetterGroups as Groups } from '../records.ts'
import { toHash } from '../router.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Failure } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { Stale } from '../ui/stale.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { Time } from '../ui/values.tsx'
import type { Choice } from './dead-letters-filters.tsx'

const EVERY_MS = 10_000

interface GroupsProps {
  readonly path: string
  readonly choice: Choice
  readonly query: URLSearchParams
  readonly onRedrive: (group: { topic: string; stage: string; disposition: string; error: string }) => void
}

/** Dead letters that failed alike: what to look at first, and to redrive in one go. */
export function DeadLetterGroups({ path, choice, query, onRedrive }: GroupsProps) {
  const groups = usePoll<Groups>(path, EVERY_MS)
  const { data, error, reload } = groups
  const rows = data?.items.filter(
    group =>
      (!choice.disposition || group.disposition === choice.disposition) &&
      (!choice.error || group.error.name === choice.error)
  )
  const most = Math.max(1, ...(rows ?? []).map(({ count }) => count))

  // Nothing of it is said twice: the list below tells that there is none.
  if (rows?.length === 0) return null
  return (
    <Panel
      flush
      title="By reason"
      description={data?.isComplete === false && 'Of the newest 20,000.'}
      actions={<Stale of={groups} />}
    >
      {error && !rows ? (
        <Failure error={error} what="the reasons" onRetry={reload} />
      ) : (
        <Table
          label="Dead letters by reason"
          columns={columnsOf(most, choice.state === 'dead' ? onRedrive : null)}
          rows={rows}
          rowKey={keyOf}
          rowHref={({ topic, stage, disposition, error: { name } }) =>
            toHash(['dead-letters'], {
              ...Object.fromEntries(query),
              topic,
              stage,
              disposition,
              error: name,
              cursor: ''
            })
          }
        />
      )}
    </Panel>
  )
}

function keyOf({ topic, stage, disposition, error }: DeadLetterGroup): string {
  return JSON.stringify([topic, stage, disposition, error.name, error.message])
}

function columnsOf(most: number, onRedrive: GroupsProps['onRedrive'] | null): readonly Column<DeadLetterGroup>[] {
  const columns: Column<DeadLetterGroup>[] = [
    {
      header: 'Reason',
      grow: true,
      cell: ({ error }) => (
        <span class="reason">
          <bdi class="reason__name">{error.name}</bdi> <bdi class="muted">{error.message}</bdi>
        </span>
      )
    },
    { header: 'Topic', cell: ({ topic }) => <Badge>{topic}</Badge> },
    { header: 'Why', cell: ({ disposition, stage }) => <Why disposition={disposition} stage={stage} /> },
    {
      header: 'Count',
      align: 'end',
      cell: ({ count }) => (
        <span class="share">
          <span class="share__bar" aria-hidden="true">
            <span class="share__fill" style={{ inlineSize: `${(count / most) * 100}%` }} />
          </span>
          {toCount(count)}
        </span>
      )
    },
    { header: 'First', align: 'end', minor: true, cell: ({ firstAt }) => <Time value={firstAt} /> },
    { header: 'Last', align: 'end', cell: ({ lastAt }) => <Time value={lastAt} /> }
  ]
  if (!onRedrive) return columns
  const redrive = ({ topic, stage, disposition, error }: DeadLetterGroup) => (
    <Button small onClick={() => onRedrive({ topic, stage, disposition, error: error.name })}>
      Redrive…
    </Button>
  )
  return [...columns, { header: 'Action', align: 'end', cell: redrive }]
}

/** Where a record failed, and why that was the end of it. */
export function Why({ disposition, stage }: { readonly disposition: string; readonly stage: string }) {
  const { label, help } = toWords(disposition)
  return (
    <span title={help}>
      {label} <span class="faint">· {stage}</span>
    </span>
  )
}
