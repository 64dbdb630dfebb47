import t from 'tap'
import { createPartitionWindows, type PartitionSight } from '../../../gateway/alerts/partition-windows.ts'

const WINDOW_MS = 120_000
const STEP_MS = 10_000

/** Looks at one partition every 10 s for as many looks, and gives what was said at each. */
function watch(looks: number, look: (index: number) => Partial<PartitionSight>) {
  const windows = createPartitionWindows()
  return Array.from({ length: looks }, (_, index) => {
    const sight = { key: 'a 0', offset: 0n, logEnd: 100n, lag: 100, isOwned: true, isHeld: false, ...look(index) }
    return windows.judge([{ ...sight, windowMs: WINDOW_MS }], index * STEP_MS).get('a 0')
  })
}

/** The looks at which something else than `ok` was said, and what. */
function findings(said: readonly (string | undefined)[]) {
  return said.flatMap((status, index) => (status === 'ok' ? [] : [`${index} ${status}`]))
}

t.test('says of an owner that does not move that it stalled, once the window is over', async t => {
  t.strictSame(findings(watch(14, () => ({}))), ['12 stalled', '13 stalled'])
})

t.test('says of a partition that nobody owns that it stopped, once the window is over', async t => {
  t.strictSame(findings(watch(14, () => ({ isOwned: false }))), ['12 stopped', '13 stopped'])
})

t.test('says that it stopped a window after its owner has gone', async t => {
  const said = watch(40, index => (index < 20 ? { offset: BigInt(index) } : { offset: 19n, isOwned: false }))

  t.equal(
    findings(said).find(one => one.endsWith('stopped')),
    '32 stopped'
  )
})

t.test('says nothing of one whose end was reached within the window, and who has gone', async t => {
  const said = watch(24, index =>
    index < 12 ? { offset: 100n, lag: 0 } : { offset: 100n, logEnd: 101n, lag: 1, isOwned: index < 12 }
  )

  t.strictSame(findings(said), [])
})

t.test('says nothing of one that drains a lag of a million', async t => {
  const said = watch(60, index => ({
    offset: BigInt(index * 15_000),
    logEnd: 1_000_000n,
    lag: 1_000_000 - index * 15_000
  }))

  t.strictSame(findings(said), [])
})

t.test('says that it went back, as long as that is in the window', async t => {
  const said = watch(40, index => {
    const offset = index < 20 ? 1_000 + index : 500 + index
    return { offset: BigInt(offset), logEnd: 10_000n, lag: 10_000 - offset }
  })

  t.strictSame(findings(said)[0], '20 rewound')
  t.equal(said.at(-1), 'ok')
})

t.test('begins anew with a log that was made anew', async t => {
  const said = watch(24, index =>
    index < 12 ? { offset: 1_000n + BigInt(index), logEnd: 2_000n } : { offset: BigInt(index), logEnd: 50n }
  )

  t.notOk(findings(said).some(one => one.endsWith('rewound')))
})

t.test('expects nothing of a function that is held up, and of one that goes on only after a whole window', async t => {
  const said = watch(40, index => ({ isHeld: index < 20 }))

  t.strictSame(findings(said)[0], '32 stalled')
})

t.test('keeps few samples, however often it looks', async t => {
  const windows = createPartitionWindows()
  const sight = { key: 'a 0', logEnd: 1_000_000n, lag: 1, isOwned: true, isHeld: false, windowMs: WINDOW_MS }
  const begun = process.memoryUsage().heapUsed

  for (let index = 0; index < 100_000; index += 1) windows.judge([{ ...sight, offset: BigInt(index) }], index * 100)

  t.ok(process.memoryUsage().heapUsed - begun < 50_000_000)
  t.strictSame([...windows.judge([], 0)], [])
})
