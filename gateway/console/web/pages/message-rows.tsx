import { usePoll } from '../api.ts'
import { toPath } from '../list-query.ts'
import type { Message } from '../records.ts'
import { JsonView } from '../ui/json-view.tsx'
import { Empty, Failure, Skeleton } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'

interface Row {
  readonly id: string
}

// Where the rows of a function can be read, and by which member of its event they are found soonest.
const TABLES: Readonly<Record<string, { readonly path: string; readonly member: string }>> = {
  'user-activities': { path: '/api/user-activities', member: 'userId' },
  'system-metrics': { path: '/api/metrics', member: 'source' },
  'error-logs': { path: '/api/errors', member: 'service' },
  notifications: { path: '/api/notifications', member: 'recipient' }
}
const NEVER_MS = 3_600_000

/** What an event became in the table of its function. */
export function MessageRows({ message }: { readonly message: Message }) {
  const table = Object.hasOwn(TABLES, message.topic) ? TABLES[message.topic] : undefined
  const { data, error, reload } = usePoll<{ items: readonly Row[] }>(
    table ? toRowsPath(message, table) : null,
    NEVER_MS
  )
  const rows = data?.items.filter(({ id }) => id === message.id)

  return (
    <Panel title="Its rows" description={table ? `from ${table.path}` : undefined}>
      {!table ? (
        <p class="muted">What this function writes is not served by the API: look into its table.</p>
      ) : error && !rows ? (
        <Failure error={error} what="its rows" onRetry={reload} />
      ) : !rows ? (
        <Skeleton />
      ) : rows.length === 0 ? (
        <Empty title="No row">Its function wrote none for this event, or it was changed or deleted since.</Empty>
      ) : (
        rows.map(row => <JsonView key={row.id} value={row} open={1} label="Row" />)
      )}
    </Panel>
  )
}

/** Rows are found by their time, which is the event's own, or else the record's. */
function toRowsPath({ value, timestamp }: Message, { path, member }: { path: string; member: string }): string {
  const members = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const time = typeof members.timestamp === 'string' ? members.timestamp : timestamp
  const filter = members[member]
  return toPath(path, { [member]: typeof filter === 'string' ? filter : '', ...toMoment(Date.parse(time)), limit: 500 })
}

/** The millisecond of a time; nothing for one that this browser cannot read, as a leap second. */
function toMoment(ms: number) {
  if (Number.isNaN(ms)) return {}
  return { from: new Date(ms).toISOString(), to: new Date(ms + 1).toISOString() }
}
