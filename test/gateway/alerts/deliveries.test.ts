import { pino } from 'pino'
import t from 'tap'
import type { Notice } from '../../../db/queries/alert-turns.ts'
import { createDeliveries, type Sink } from '../../../gateway/alerts/deliveries.ts'
import { until } from '../_support/open-request.ts'

const log = pino({ enabled: false })
const notice = (id: string, subject = id): Notice => ({
  id,
  name: 'HighConsumerLag',
  severity: 'warning',
  subject,
  event: 'fired',
  value: 1,
  threshold: 0,
  atMs: 0,
  episodeMs: 0,
  summary: ''
})
const pending = (one: Notice, sink = 'webhook') => ({ notice: one, sink, attempts: 0 })

/** A place that refuses the first attempts, and remembers all. */
function refusing(times: number, error: Error = new Error('refused')) {
  const attempts: string[] = []
  const sink: Sink = {
    async send({ id }) {
      attempts.push(id)
      if (attempts.length <= times) throw error
    }
  }
  return { attempts, sink }
}

function open(
  t: { teardown: (end: () => void) => void },
  sinks: Record<string, Sink>,
  { maxAttempts = 5, backoffMs = [1, 2] } = {}
) {
  const deliveries = createDeliveries({
    sinks: new Map(Object.entries(sinks)),
    log,
    now: () => 7,
    backoffMs,
    maxAttempts
  })
  t.teardown(deliveries.close)
  return deliveries
}

t.test('delivers a notice once, and says so', async t => {
  const { sink, attempts } = refusing(0)
  const deliveries = open(t, { webhook: sink })

  deliveries.add([pending(notice('a'))])
  await until(() => deliveries.results().length === 1)
  deliveries.add([pending(notice('a'))])
  await new Promise(setImmediate)

  t.strictSame(deliveries.results(), [{ noticeId: 'a', sink: 'webhook', state: 'delivered', attempts: 1, atMs: 7 }])
  t.strictSame(attempts, ['a'], 'also when the table does not know of it yet')
})

t.test('tries again until it has arrived', async t => {
  const { sink, attempts } = refusing(3)
  const deliveries = open(t, { webhook: sink })

  deliveries.add([pending(notice('a'))])
  await until(() => deliveries.results()[0]?.state === 'delivered')

  t.equal(attempts.length, 4)
  t.match(deliveries.results(), [{ attempts: 4 }])
})

t.test('gives up in the end, and at once what cannot arrive', async t => {
  const [tired, final] = [refusing(99), refusing(99, Object.assign(new Error('never'), { isFinal: true }))]
  const deliveries = open(t, { tired: tired.sink, final: final.sink })

  deliveries.add([pending(notice('a'), 'tired'), pending(notice('a'), 'final'), pending(notice('a'), 'unknown')])
  await until(() => deliveries.results().filter(({ state }) => state === 'given_up').length === 3)

  t.strictSame([tired.attempts.length, final.attempts.length], [5, 1])
})

t.test('goes on counting the attempts of another gateway', async t => {
  const { sink, attempts } = refusing(99)
  const deliveries = open(t, { webhook: sink })

  deliveries.add([{ ...pending(notice('a')), attempts: 3 }])
  await until(() => deliveries.results()[0]?.state === 'given_up')

  t.equal(attempts.length, 2)
})

t.test('lets a place that hangs hold up nobody else', async t => {
  const { sink, attempts } = refusing(0)
  const deliveries = open(t, { hanging: { send: () => new Promise(() => undefined) }, webhook: sink })

  deliveries.add([
    pending(notice('a'), 'hanging'),
    pending(notice('a')),
    pending(notice('b'), 'hanging'),
    pending(notice('b'))
  ])
  await until(() => attempts.length === 2)

  t.match(deliveries.results(), [{ sink: 'webhook' }, { sink: 'webhook' }])
})

t.test('lets a place that is away keep no room from another, and holds no more of it than it must', async t => {
  const { sink, attempts } = refusing(0)
  let back: () => void = () => undefined
  const isBack = new Promise<void>(resolve => {
    back = resolve
  })
  const late: string[] = []
  const away: Sink = {
    async send({ id }) {
      await isBack
      late.push(id)
    }
  }
  const deliveries = open(t, { away, webhook: sink })

  deliveries.add(Array.from({ length: 1_100 }, (_, index) => pending(notice(`${index}`), 'away')))
  deliveries.add([pending(notice('a'))])
  await until(() => attempts.length === 1)
  back()
  await until(() => deliveries.results().length === 1_001)
  await new Promise(setImmediate)

  t.equal(late.length, 1_000, 'the table has the others')
  deliveries.add([pending(notice('1099'), 'away')])
  await until(() => late.at(-1) === '1099')
})

t.test('keeps the order of a subject, and lets no other wait for it', async t => {
  const attempts: string[] = []
  let isRefusing = true
  const deliveries = open(
    t,
    {
      webhook: {
        async send({ id }) {
          attempts.push(id)
          if (id === 'fired' && isRefusing) throw new Error('refused')
        }
      }
    },
    { maxAttempts: 1_000 }
  )

  deliveries.add([pending(notice('fired', 'a')), pending(notice('cleared', 'a')), pending(notice('other', 'b'))])
  await until(() => attempts.filter(id => id === 'fired').length > 2)
  t.ok(attempts.includes('other'))
  t.notOk(attempts.includes('cleared'))
  isRefusing = false
  await until(() => attempts.includes('cleared'))

  t.strictSame(attempts.slice(-2), ['fired', 'cleared'])
})

t.test('drops what another gateway delivers, and forgets only what was written down', async t => {
  const { sink, attempts } = refusing(1)
  const deliveries = open(t, { webhook: sink }, { backoffMs: [50] })
  deliveries.add([pending(notice('a'))])
  await until(() => deliveries.results().length === 1)
  const written = deliveries.results()

  deliveries.release()
  await new Promise(resolve => setTimeout(resolve, 100))
  t.equal(attempts.length, 1)

  deliveries.add([{ ...pending(notice('a')), attempts: 1 }])
  await until(() => deliveries.results()[0]?.state === 'delivered')
  deliveries.forget(written)
  t.equal(deliveries.results().length, 1, 'it says something newer')
  deliveries.forget(deliveries.results())
  t.strictSame(deliveries.results(), [])
})

t.test('begins nothing once it is closed', async t => {
  const { sink, attempts } = refusing(99)
  const deliveries = open(t, { webhook: sink })
  deliveries.add([pending(notice('a'))])
  await until(() => attempts.length > 0)

  deliveries.close()
  const before = attempts.length
  deliveries.add([pending(notice('b'))])
  await new Promise(resolve => setTimeout(resolve, 20))

  t.equal(attempts.length, before)
})
