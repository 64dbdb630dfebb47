import { toCount } from '../format.ts'
import { isBack } from '../position-move.ts'
import type { PositionMove } from '../shapes.ts'
import { Notice } from '../ui/notice.tsx'
import { type Column, Table } from '../ui/table.tsx'
import { Count } from '../ui/values.tsx'

type Step = PositionMove['partitions'][number]

/** What moving a position would mean, partition by partition. */
export function PositionPreview({ move: { partitions } }: { readonly move: PositionMove }) {
  const back = sum(partitions.filter(isBack), ({ records }) => records)
  const isCounted = partitions.every(({ settledAlready }) => settledAlready !== null)
  const again = isCounted ? sum(partitions.filter(isBack), ({ settledAlready }) => settledAlready ?? 0) : null
  const over = sum(
    partitions.filter(step => !isBack(step)),
    ({ records }) => records
  )
  return (
    <>
      <Notice tone={over > 0n ? 'warn' : 'accent'} title={toTitle(back, over)}>
        {back > 0n && again !== null && `${toCount(again)} of them are settled already and get no second effect.`}
        {again === null && 'Those that are settled already get no second effect. There are too many to count them.'}
      </Notice>
      <div class="framed">
        <Table label="Preview" columns={columns} rows={partitions} rowKey={({ partition }) => String(partition)} />
      </div>
    </>
  )
}

function toTitle(back: bigint, over: bigint): string {
  if (over > 0n) return `${toCount(over)} records would be passed over, and never handled.`
  return back > 0n ? `${toCount(back)} records would be read again.` : 'Nothing would change.'
}

function sum(steps: readonly Step[], read: (step: Step) => number): bigint {
  return steps.reduce((total, step) => total + BigInt(read(step)), 0n)
}

const columns: readonly Column<Step>[] = [
  { header: 'Partition', cell: ({ partition }) => <span class="num">Partition {partition}</span> },
  { header: 'From', align: 'end', cell: ({ from }) => <Count value={from} /> },
  { header: 'To', align: 'end', cell: ({ to }) => <Count value={to} /> },
  { header: 'Records', align: 'end', cell: ({ records }) => <Count value={records} /> },
  { header: 'Settled already', align: 'end', cell: ({ settledAlready }) => <Count value={settledAlready} /> }
]
