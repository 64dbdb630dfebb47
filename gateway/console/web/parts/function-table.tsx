import type { Polled } from '../api.ts'
import { toRate } from '../format.ts'
import { toHash } from '../router.ts'
import type { FunctionShape, List, Topic } from '../shapes.ts'
import { Empty, Failure } from '../ui/notice.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { Count, Duration, Time, Unknown } from '../ui/values.tsx'
import { FunctionState } from './function-state.tsx'

interface Row {
  readonly topic: string
  readonly shape: FunctionShape | undefined
  readonly reading: Topic | undefined
}

interface FunctionTableProps {
  readonly functions: Polled<List<FunctionShape>>
  readonly topics: Polled<List<Topic>>
}

/** Every function with its rates and what waits for it; a row leads to the function. */
export function FunctionTable({ functions, topics }: FunctionTableProps) {
  const rows = toRows(functions.data?.items, topics.data?.items)
  if (!rows && functions.error && topics.error) {
    const reload = () => void Promise.all([functions.reload(), topics.reload()])
    return <Failure error={topics.error} what="functions" onRetry={reload} />
  }
  return (
    <Table
      label="Functions"
      columns={columns}
      rows={rows}
      rowKey={({ topic }) => topic}
      rowHref={({ topic }) => toHash(['functions', topic])}
      empty={<Empty title="No functions">Put a file into functions/: its name is its topic.</Empty>}
    />
  )
}

const columns: readonly Column<Row>[] = [
  { header: 'Function', cell: ({ topic }) => topic },
  { header: 'State', cell: ({ shape }) => (shape ? <FunctionState of={shape} /> : <Unknown />) },
  { header: 'Written/s', align: 'end', cell: ({ shape }) => toText(shape?.rates.written) },
  { header: 'Settled/s', align: 'end', cell: ({ shape }) => toText(shape?.rates.settled) },
  { header: 'Lag', align: 'end', cell: ({ reading }) => <Count value={reading?.lag} /> },
  { header: 'Oldest', align: 'end', minor: true, cell: ({ reading }) => <Duration seconds={reading?.lagSeconds} /> },
  { header: 'Dead letters', align: 'end', cell: ({ reading }) => <Count value={reading?.deadLetterCount} /> },
  {
    header: 'Last settled',
    align: 'end',
    minor: true,
    cell: ({ reading }) => (reading ? <Time value={reading.lastMessageAt} empty="never" /> : <Unknown />)
  }
]

function toText(rate: number | undefined) {
  return rate === undefined ? <Unknown /> : toRate(rate)
}

/** By topic; undefined while neither is known. */
function toRows(
  functions: readonly FunctionShape[] | undefined,
  topics: readonly Topic[] | undefined
): Row[] | undefined {
  if (!functions && !topics) return undefined
  const names = new Set([...(functions ?? []), ...(topics ?? [])].map(({ topic }) => topic))
  return [...names].sort().map(topic => ({
    topic,
    shape: functions?.find(one => one.topic === topic),
    reading: topics?.find(one => one.topic === topic)
  }))
}
