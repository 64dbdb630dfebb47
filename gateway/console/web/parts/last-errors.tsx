import { Link, toHash } from '../router.ts'
import type { FunctionShape } from '../shapes.ts'
import { Badge } from '../ui/badge.tsx'
import { Empty } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { Time } from '../ui/values.tsx'

type LastError = FunctionShape['lastErrors'][number]

/** Why the newest dead letters of a function died. */
export function LastErrors({ of: { topic, lastErrors } }: { readonly of: FunctionShape }) {
  return (
    <Panel
      title="Last errors"
      flush
      actions={
        <Link to={toHash(['dead-letters'], { topic })} class="small">
          All dead letters
        </Link>
      }
    >
      <Table
        label="Last errors"
        columns={columns}
        rows={lastErrors}
        rowKey={({ deadLetterId }) => deadLetterId}
        rowHref={({ deadLetterId }) => toHash(['dead-letters', deadLetterId])}
        empty={<Empty title="No dead letters">Every record was settled.</Empty>}
      />
    </Panel>
  )
}

const columns: readonly Column<LastError>[] = [
  { header: 'Error', cell: ({ name }) => name },
  { header: 'Stage', cell: ({ stage }) => <Badge>{stage}</Badge> },
  { header: 'Message', grow: true, cell: ({ message }) => <bdi title={message}>{message}</bdi> },
  { header: 'Died', align: 'end', cell: ({ at }) => <Time value={at} /> }
]
