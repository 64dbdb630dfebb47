import t from 'tap'
import type { EventOutcome } from '../../db/queries/outcomes.ts'
import { createOutcomeWaiters } from '../../gateway/outcome-waiters.ts'

const settled: EventOutcome = { state: 'settled' }
const event = (id: string) => ({ topic: 'a', groupId: 'smg.a', id })
const forLong = () => ({ timeoutMs: 60_000, signal: new AbortController().signal })

/** Outcomes that a test makes known, and how they were asked for. */
function fakeOutcomes() {
  const known = new Map<string, EventOutcome>()
  const questions: string[][] = []
  const findOutcomes = async (events: readonly { id: string }[]) => {
    questions.push(events.map(({ id }) => id))
    return known
  }
  return { known, questions, findOutcomes }
}

async function until(holds: () => boolean) {
  for (const deadline = performance.now() + 5_000; !holds(); ) {
    if (performance.now() > deadline) throw new Error(`did not come true: ${holds}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

t.test('asks once for all who wait, and gives each its own', async t => {
  const { known, questions, findOutcomes } = fakeOutcomes()
  const waiters = createOutcomeWaiters({ findOutcomes, maxWaiters: 10 })
  const [one, two] = [waiters.wait(event('1'), forLong()), waiters.wait(event('2'), forLong())]
  await until(() => questions.length > 0)

  known.set('a 2', settled)

  t.equal(await two, settled)
  t.strictSame(questions[0], ['1', '2'])
  t.equal(waiters.count(), 1)
  known.set('a 1', { ...settled })
  t.strictSame(await one, settled)
  t.equal(waiters.count(), 0)
})

t.test('asks nothing while nobody waits', async t => {
  const { known, questions, findOutcomes } = fakeOutcomes()
  known.set('a 1', settled)
  const waiters = createOutcomeWaiters({ findOutcomes, maxWaiters: 10 })
  await waiters.wait(event('1'), forLong())

  await new Promise(resolve => setTimeout(resolve, 100))

  t.equal(questions.length, 1)
})

t.test('asks one question at a time, also while more and more wait', async t => {
  let running = 0
  let most = 0
  const findOutcomes = async () => {
    running += 1
    most = Math.max(most, running)
    await new Promise(resolve => setTimeout(resolve, 60))
    running -= 1
    return new Map([['a 99', settled]])
  }
  const waiters = createOutcomeWaiters({ findOutcomes, maxWaiters: 100 })
  const timer = setInterval(() => void waiters.wait(event(String(waiters.count())), forLong()), 5)

  await waiters.wait(event('99'), forLong())

  clearInterval(timer)
  waiters.close()
  t.equal(most, 1)
})

t.test('does not put the question off while more and more come', async t => {
  const { known, findOutcomes } = fakeOutcomes()
  known.set('a first', settled)
  const waiters = createOutcomeWaiters({ findOutcomes, maxWaiters: 100_000 })
  const first = waiters.wait(event('first'), { ...forLong(), timeoutMs: 2_000 })

  const timer = setInterval(() => void waiters.wait(event('more'), forLong()), 2)

  t.equal(await first, settled)
  clearInterval(timer)
  waiters.close()
})

const endings = [
  { when: 'the time is over', end: () => undefined, timeoutMs: 60 },
  { when: 'the client is gone', end: ({ client }: Ends) => client.abort(), timeoutMs: 60_000 },
  { when: 'the gateway stops', end: ({ waiters }: Ends) => waiters.close(), timeoutMs: 60_000 }
]

interface Ends {
  readonly client: AbortController
  readonly waiters: ReturnType<typeof createOutcomeWaiters>
}

for (const { when, end, timeoutMs } of endings) {
  t.test(`gives null when ${when}`, async t => {
    const waiters = createOutcomeWaiters({ ...fakeOutcomes(), maxWaiters: 10 })
    const client = new AbortController()
    const startedMs = performance.now()
    const waiting = waiters.wait(event('1'), { timeoutMs, signal: client.signal })

    end({ client, waiters })

    t.equal(await waiting, null)
    t.equal(waiters.count(), 0)
    t.ok(performance.now() - startedMs < 30_000)
  })
}

t.test('gives null when PostgreSQL is away, and asks again for the next', async t => {
  let isAway = true
  const findOutcomes = async () => {
    if (isAway) throw new Error('away')
    return new Map([['a 1', settled]])
  }
  const waiters = createOutcomeWaiters({ findOutcomes, maxWaiters: 10 })

  const startedMs = performance.now()

  t.equal(await waiters.wait(event('1'), forLong()), null)
  t.ok(performance.now() - startedMs < 30_000, 'not at the end of its time')
  isAway = false
  t.equal(await waiters.wait(event('1'), forLong()), settled)
})

t.test('gives null at once when too many wait, and after the stop', async t => {
  const waiters = createOutcomeWaiters({ ...fakeOutcomes(), maxWaiters: 1 })
  const first = waiters.wait(event('1'), forLong())

  t.equal(await waiters.wait(event('2'), forLong()), null)
  waiters.close()
  t.equal(await first, null)
  t.equal(await waiters.wait(event('3'), forLong()), null)
})
