import { STATE_TONES } from '../dead-letter-words.ts'
import { cutKey, type DeadLetter, type DeadLetterState } from '../records.ts'
import { toHash } from '../router.ts'
import { Badge } from '../ui/badge.tsx'
import { LinkButton } from '../ui/button.tsx'
import { Empty, Failure } from '../ui/notice.tsx'
import { Panel } from '../ui/panel.tsx'
import { ListPages, RECORD_COLUMNS } from '../ui/record-list.tsx'
import { Stale } from '../ui/stale.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { useList } from '../use-list.ts'
import { Why } from './dead-letters-groups.tsx'

const EVERY_MS = 5_000
const MAX_MESSAGE = 300

interface Row {
  readonly id: string
  readonly topic: string
  readonly key: string | null
  readonly timestamp: string
  readonly stage: string
  readonly disposition: string
  readonly error: string
  readonly message: string
  readonly attempts: number
  readonly state: DeadLetterState
}

const toLetterRow = ({ id, topic, key, timestamp, stage, disposition, error, attempts, state }: DeadLetter): Row => ({
  id,
  topic,
  key: cutKey(key),
  timestamp,
  stage,
  disposition,
  error: error.name.slice(0, MAX_MESSAGE),
  message: error.message.slice(0, MAX_MESSAGE),
  attempts,
  state
})

interface ListProps {
  readonly path: string
  readonly query: URLSearchParams
}

/** Dead letters one by one, newest first by the time of the record. */
export function DeadLetterList({ path, query }: ListProps) {
  const list = useList(path, EVERY_MS, toLetterRow)
  const { data, error, reload } = list
  const cursor = query.get('cursor')

  return (
    <>
      <Panel flush title={cursor ? 'Older ones' : 'One by one'} actions={<Stale of={list} />}>
        {error && !data ? (
          <Failure error={error} what="dead letters" onRetry={() => void reload()} />
        ) : (
          <Table
            label="Dead letters"
            columns={COLUMNS}
            rows={data?.rows}
            rowKey={({ id }) => id}
            rowHref={({ id }) => toHash(['dead-letters', id])}
            empty={<NoDeadLetters isFiltered={query.size > 0} />}
          />
        )}
      </Panel>
      <ListPages page="dead-letters" query={query} next={data?.nextCursor ?? null} />
    </>
  )
}

const COLUMNS: readonly Column<Row>[] = [
  ...RECORD_COLUMNS,
  {
    header: 'Error',
    grow: true,
    cell: ({ error, message }) => (
      <span class="reason">
        <bdi class="reason__name">{error}</bdi> <bdi class="muted">{message}</bdi>
      </span>
    )
  },
  { header: 'Why', minor: true, cell: ({ disposition, stage }) => <Why disposition={disposition} stage={stage} /> },
  { header: 'Attempts', align: 'end', minor: true, cell: ({ attempts }) => attempts },
  {
    header: 'State',
    cell: ({ state }) => (
      <Badge tone={STATE_TONES[state]} dot>
        {state}
      </Badge>
    )
  }
]

function NoDeadLetters({ isFiltered }: { readonly isFiltered: boolean }) {
  if (!isFiltered) {
    return <Empty title="Nothing is dead">Every record that was read is settled, or on its way.</Empty>
  }
  return (
    <Empty
      title="No dead letter matches"
      actions={
        <LinkButton to="#/dead-letters" small>
          Clear the filters
        </LinkButton>
      }
    />
  )
}
