import t from 'tap'
import type { Attachment, AttachmentState } from '../../runner/attach-function.ts'
import { createMetrics } from '../../runner/metrics.ts'
import { buildServer } from '../../runner/server.ts'
import { Type } from '../../sdk/index.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, identified, range } from './_support/records.ts'

const metrics = createMetrics()

function createServer(states: AttachmentState[], { isStopping = false, lag = new Map<number, number>() } = {}) {
  const attachments = states.map(
    (state, index) => ({ topic: `topic-${index}`, state: () => ({ state, reason: 'secret' }), lag: () => lag }) as never
  ) as Attachment[]
  return listen({ attachments, metrics, isStopping: () => isStopping })
}

/** Serves on a free port; gives how to ask it. */
function listen(dependencies: Parameters<typeof buildServer>[0]) {
  const server = buildServer(dependencies)
  const listening = server.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => server.close())
  return async (path: string, method = 'GET') =>
    fetch(`http://127.0.0.1:${await listening}${path}`, { method, signal: AbortSignal.timeout(10_000) })
}

const cases: { states: AttachmentState[]; isStopping?: boolean; health: string; code: number; ready: number }[] = [
  { states: [], health: 'ok', code: 200, ready: 200 },
  { states: ['running', 'running'], health: 'ok', code: 200, ready: 200 },
  { states: ['running', 'starting'], health: 'degraded', code: 200, ready: 503 },
  { states: ['running', 'waiting'], health: 'degraded', code: 200, ready: 200 },
  { states: ['stopped'], health: 'degraded', code: 200, ready: 200 },
  { states: ['running'], isStopping: true, health: 'down', code: 503, ready: 503 }
]
for (const { states, isStopping = false, health, code, ready } of cases) {
  t.test(
    `is ${health} when its functions are ${states.join(', ') || 'none'}${isStopping ? ' and it stops' : ''}`,
    async t => {
      const ask = createServer(states, { isStopping })

      const response = await ask('/health')
      t.equal(response.status, code)
      t.strictSame(await response.json(), {
        status: health,
        functions: states.map((state, index) => ({ topic: `topic-${index}`, state }))
      })
      t.equal((await ask('/health/ready')).status, ready)
      t.equal((await ask('/health/live')).status, 200, 'it lives all the same')
    }
  )
}

t.test('gives lag and counts to Prometheus', async t => {
  const ask = createServer(['running'], { lag: new Map([[2, 41]]) })
  const reason = { kind: 'dead', stage: 'handle', disposition: 'timed_out', attempts: 3, error: null } as const
  const dead = [{ record: identified(1), reason }]
  const tally = { messages: 3, rows: 4, deadLetters: 1, dead, duplicates: 2, lastMessageMs: null }
  metrics.count('topic-0', tally, 6)
  metrics.count('topic-0', undefined, 1)

  const response = await ask('/metrics')
  const text = await response.text()

  t.match(response.headers.get('content-type'), /^text\/plain/)
  for (const line of [
    'smg_lag_records{topic="topic-0",partition="2"} 41',
    'smg_records_settled_total{topic="topic-0"} 7',
    'smg_messages_total{topic="topic-0"} 3',
    'smg_rows_total{topic="topic-0"} 4',
    'smg_dead_letters_total{topic="topic-0",disposition="timed_out"} 1',
    'smg_duplicates_total{topic="topic-0"} 2'
  ])
    t.ok(text.includes(`${line}\n`), line)
  const without = await (await createServer([])('/metrics')).text()
  t.notOk(without.includes('partition="2"'), 'a lost partition is gone')
})

const reasons: { state: AttachmentState; reason: string | null }[] = [
  { state: 'starting', reason: 'starting' },
  { state: 'waiting', reason: 'away' },
  { state: 'paused', reason: 'paused' },
  { state: 'stopped', reason: 'stopped' },
  { state: 'running', reason: null }
]
for (const { state, reason } of reasons) {
  t.test(`says to Prometheus why records wait while a function is ${state}`, async t => {
    const text = await (await createServer([state])('/metrics')).text()
    const waiting = [...text.matchAll(/^smg_waiting\{topic="topic-0",reason="(\w+)"\} 1$/gm)].map(([, word]) => word)

    t.strictSame(waiting, reason === null ? [] : [reason])
  })
}

t.test('is not ready while a consumer is made anew, whatever is still being written', async t => {
  const event = Type.Object({ n: Type.Number() })
  const end = { open: () => undefined as unknown }
  const held = new Promise(resolve => {
    end.open = resolve as () => unknown
  })
  const definition = { ...defineTestFunction({ event }), handle: () => held } as ReturnType<typeof defineTestFunction>
  const database = await createTestDatabase(t)
  const { attachment, kafka, stored } = await createTestAttachment(t, definition, {
    database,
    bounds: { 0: { logStartOffset: 0n, logEndOffset: 10n } }
  })
  const ask = listen({ attachments: [attachment], metrics, isStopping: () => false })
  const ready = async () => (await ask('/health/ready')).status
  t.equal(await ready(), 503, 'not before it has joined')
  attachment.start()
  kafka.assign(0)
  await until(async () => (await ready()) === 200)
  await kafka.deliver(batch(0, range(0, 1)))

  kafka.crash()
  await until(() => kafka.consumers[0]?.isStopped === true)
  t.equal(await ready(), 503, 'its consumer crashed')
  end.open()
  await until(() => kafka.consumers.length === 2)
  t.equal(await ready(), 503, 'the new one has not joined')
  kafka.assign(0)
  await until(async () => (await ready()) === 200)
  t.strictSame(await stored(), [])
})

t.test('answers nothing but reads of what it has', async t => {
  const ask = createServer(['running'])

  t.equal((await ask('/')).status, 404)
  t.equal((await ask('/__proto__')).status, 404)
  t.equal((await ask('/health?verbose=1')).status, 200)
  const refused = await ask('/health', 'POST')
  t.equal(refused.status, 405)
  t.equal(refused.headers.get('allow'), 'GET, HEAD')
  const head = await ask('/health/live', 'HEAD')
  t.equal(head.headers.get('content-length'), '15')
  t.equal(await head.text(), '')
})

t.test('says when its port is taken', async t => {
  const first = buildServer({ attachments: [], metrics, isStopping: () => false })
  const second = buildServer({ attachments: [], metrics, isStopping: () => false })
  t.teardown(() => first.close())
  const port = await first.listen({ host: '127.0.0.1', port: 0 })

  await t.rejects(second.listen({ host: '127.0.0.1', port }), { code: 'EADDRINUSE' })
})
