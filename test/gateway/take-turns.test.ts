import t from 'tap'
import type { Writer } from '../../db/writer.ts'
import { takeTurns } from '../../gateway/take-turns.ts'

/** A writer whose transactions take so long, and refuses a second one as a real one does. */
function slowWriter(durationMs: number) {
  const begun: number[] = []
  let isBusy = false
  const transaction = async () => {
    if (isBusy) throw new Error('busy')
    isBusy = true
    begun.push(performance.now())
    await new Promise(resolve => setTimeout(resolve, durationMs))
    isBusy = false
    if (begun.length === 1) throw new Error('failed')
    return 'done'
  }
  return { begun, writer: { transaction } as unknown as Pick<Writer, 'transaction'> }
}

t.test('runs one after the other, also after one that failed', async t => {
  const { writer } = slowWriter(20)
  const run = takeTurns(writer)

  const [first, second, third] = await Promise.allSettled([1, 2, 3].map(() => run(async () => undefined)))

  t.match(
    [first, second, third],
    [
      { status: 'rejected', reason: { message: 'failed' } },
      { status: 'fulfilled', value: 'done' },
      { status: 'fulfilled', value: 'done' }
    ]
  )
})

t.test('does not begin one whose asker has been answered already', async t => {
  const { writer, begun } = slowWriter(2_000)
  const run = takeTurns(writer)

  const [, late] = await Promise.allSettled([1, 2].map(() => run(async () => undefined)))

  t.match(late, { status: 'rejected', reason: { code: 'SMG_GATEWAY_DATABASE_AWAY' } })
  t.equal(begun.length, 1)
})
