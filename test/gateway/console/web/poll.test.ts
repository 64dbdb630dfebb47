import t from 'tap'
import { createPoll } from '../../../../gateway/console/web/poll.ts'
import { until } from '../../../_support/kafka.ts'

interface Asked {
  readonly signal: AbortSignal
  readonly answer: (value: string) => void
  readonly fail: (error: Error) => void
}

/** A gateway that answers when it is told to. */
function fakeGateway() {
  const asked: Asked[] = []
  const load = (signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      asked.push({ signal, answer: resolve, fail: reject })
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  let nowMs = 1_000
  let isHidden = false
  return {
    asked,
    clock: { set: (ms: number) => (nowMs = ms), hide: (value: boolean) => (isHidden = value) },
    dependencies: { load, now: () => nowMs, isHidden: () => isHidden }
  }
}

const none = () => undefined

t.test('asks nothing before somebody listens', async t => {
  const { asked, dependencies } = fakeGateway()
  const poll = createPoll(dependencies)

  t.match(poll.read(), { data: undefined, error: null, isLoading: true })
  t.equal(asked.length, 0)
})

t.test('asks again and again, one request after the other, and tells of each answer', async t => {
  const { asked, dependencies } = fakeGateway()
  const poll = createPoll(dependencies)
  const listener = t.captureFn(none)
  t.teardown(poll.subscribe(listener, 1))

  await until(async () => asked.length === 1)
  await new Promise(resolve => setTimeout(resolve, 20))
  t.equal(asked.length, 1, 'the first is under way')
  asked[0]?.answer('a')
  await until(async () => asked.length === 2)

  t.match(poll.read(), { data: 'a', error: null, staleSince: null, isLoading: false })
  t.equal(listener.calls.length, 1)
})

t.test('keeps the last good answer while requests fail, and says since when', async t => {
  const { asked, clock, dependencies } = fakeGateway()
  const poll = createPoll(dependencies)
  t.teardown(poll.subscribe(none, 1))
  await until(async () => asked.length === 1)
  asked[0]?.answer('a')
  await until(async () => asked.length === 2)
  clock.set(9_000)

  asked[1]?.fail(new Error('away'))
  await until(async () => poll.read().error !== null)

  t.match(poll.read(), { data: 'a', error: { message: 'away' }, staleSince: 1_000, isLoading: false })
  await until(async () => asked.length === 3)
  asked[2]?.answer('b')
  await until(async () => poll.read().data === 'b')
  t.match(poll.read(), { error: null, staleSince: null, loadedAt: 9_000 })
})

t.test('comes less often after each failure, up to a limit', async t => {
  const waits: number[] = []
  let lastMs = performance.now()
  const load = async () => {
    waits.push(performance.now() - lastMs)
    lastMs = performance.now()
    throw new Error('away')
  }
  const poll = createPoll<string>({ load, now: () => 0, isHidden: () => false, maxBackoffMs: 40 })
  t.teardown(poll.subscribe(none, 10))

  await until(async () => waits.length === 6)

  t.ok(Number(waits[1]) >= 19, 'twice the interval')
  t.ok(Number(waits[5]) >= 39, 'no less than the limit')
})

t.test('comes as often as before once a request went well', async t => {
  const waits: number[] = []
  let lastMs = performance.now()
  const load = async () => {
    waits.push(performance.now() - lastMs)
    lastMs = performance.now()
    if (waits.length < 6) throw new Error('away')
    return 'a'
  }
  const poll = createPoll<string>({ load, now: () => 0, isHidden: () => false })
  t.teardown(poll.subscribe(none, 10))

  await until(async () => waits.length === 7)

  t.ok(Number(waits[6]) < Number(waits[5]) / 2, `${waits[6]} ms after ${waits[5]} ms`)
})

t.test('rests while the tab is hidden, and asks at once when it is seen again', async t => {
  const { asked, clock, dependencies } = fakeGateway()
  const poll = createPoll(dependencies)
  t.teardown(poll.subscribe(none, 1))
  await until(async () => asked.length === 1)
  clock.hide(true)
  asked[0]?.answer('a')
  await until(async () => poll.read().data === 'a')
  await new Promise(resolve => setTimeout(resolve, 20))
  t.equal(asked.length, 1)

  clock.hide(false)
  poll.wake()

  await until(async () => asked.length === 2)
})

t.test('gives a request up when the last listener leaves, and asks no more', async t => {
  const { asked, dependencies } = fakeGateway()
  const poll = createPoll(dependencies)
  const leave = poll.subscribe(none, 1)
  await until(async () => asked.length === 1)

  leave()
  await new Promise(resolve => setTimeout(resolve, 20))

  t.ok(asked[0]?.signal.aborted)
  t.equal(asked.length, 1)
  t.ok(poll.isIdle())
  t.match(poll.read(), { error: null, isLoading: true }, 'that is no failure')
})

t.test('asks anew for who comes while a request is given up', async t => {
  const { asked, dependencies } = fakeGateway()
  const poll = createPoll(dependencies)
  const leave = poll.subscribe(none, 60_000)
  await until(async () => asked.length === 1)
  leave()
  await Promise.resolve()
  t.ok(asked[0]?.signal.aborted)
  t.teardown(poll.subscribe(none, 60_000))

  await until(async () => asked.length === 2)
  asked[1]?.answer('a')
  await until(async () => poll.read().data === 'a')
})

t.test('keeps the request that is under way when somebody listens again at once, with another interval', async t => {
  const { asked, dependencies } = fakeGateway()
  const poll = createPoll(dependencies)
  const leave = poll.subscribe(none, 60_000)
  await until(async () => asked.length === 1)
  leave()
  t.teardown(poll.subscribe(none, 1))
  await new Promise(resolve => setTimeout(resolve, 20))

  t.notOk(asked[0]?.signal.aborted)
  asked[0]?.answer('a')
  await until(async () => asked.length === 2)

  t.equal(poll.read().data, 'a')
})

t.test('reload gives the answer to a request that was made after it', async t => {
  const { asked, dependencies } = fakeGateway()
  const poll = createPoll(dependencies)
  t.teardown(poll.subscribe(none, 60_000))
  await until(async () => asked.length === 1)

  const reloaded = poll.reload()
  await until(async () => asked.length === 2)
  asked[1]?.answer('after')
  await reloaded

  t.ok(asked[0]?.signal.aborted)
  t.match(poll.read(), { data: 'after', error: null })
})

t.test('a gateway that does not answer in time is a failure', async t => {
  const { asked, dependencies } = fakeGateway()
  const poll = createPoll({ ...dependencies, timeoutMs: 5 })
  t.teardown(poll.subscribe(none, 60_000))

  await until(async () => poll.read().error !== null)

  t.ok(asked[0]?.signal.aborted)
  t.match(poll.read(), { data: undefined, staleSince: null, isLoading: false })
})
