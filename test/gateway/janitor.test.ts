import { pino } from 'pino'
import t from 'tap'
import { createJanitor } from '../../gateway/janitor.ts'

const log = pino({ enabled: false })

/** A chore with so many rows to delete, at most three at once. */
function chore(rows: number) {
  let left = rows
  const calls: number[] = []
  const run = async () => {
    const deleted = Math.min(left, 3)
    left -= deleted
    calls.push(deleted)
    return deleted
  }
  return { run, calls }
}

t.test('repeats each chore until nothing is left', async t => {
  const [one, two] = [chore(7), chore(0)]

  await createJanitor({ chores: { one: one.run, two: two.run }, intervalMs: 1_000, log }).clean()

  t.strictSame(one.calls, [3, 3, 1, 0])
  t.strictSame(two.calls, [0])
})

t.test('goes on with the next chore after one that failed', async t => {
  const two = chore(1)
  const one = async () => Promise.reject(new Error('away'))

  await createJanitor({ chores: { one, two: two.run }, intervalMs: 1_000, log }).clean()

  t.strictSame(two.calls, [1, 0])
})

t.test('cleans again and again until it is stopped', async t => {
  let calls = 0
  const janitor = createJanitor({ chores: { one: async () => Number(++calls < 0) }, intervalMs: 5, log })
  janitor.start()
  while (calls < 3) await new Promise(resolve => setTimeout(resolve, 5))

  janitor.stop()
  janitor.start()
  const before = calls
  await new Promise(resolve => setTimeout(resolve, 50))

  t.equal(calls, before)
})
