import t from 'tap'
import type { Attachment, AttachmentState } from '../../runner/attach-function.ts'
import { createMetrics } from '../../runner/metrics.ts'
import { buildServer } from '../../runner/server.ts'

const metrics = createMetrics()

function createServer(states: AttachmentState[], { isStopping = false, lag = new Map<number, number>() } = {}) {
  const attachments = states.map(
    (state, index) => ({ topic: `topic-${index}`, state: () => ({ state, reason: 'secret' }), lag: () => lag }) as never
  ) as Attachment[]
  const app = buildServer({ attachments, metrics, isStopping: () => isStopping })
  t.teardown(() => app.close())
  return app
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
      const app = createServer(states, { isStopping })

      const response = await app.inject('/health')
      t.equal(response.statusCode, code)
      t.strictSame(response.json(), {
        status: health,
        functions: states.map((state, index) => ({ topic: `topic-${index}`, state }))
      })
      t.equal((await app.inject('/health/ready')).statusCode, ready)
      t.equal((await app.inject('/health/live')).statusCode, 200, 'it lives all the same')
    }
  )
}

t.test('gives lag and counts to Prometheus', async t => {
  const app = createServer(['running'], { lag: new Map([[2, 41]]) })
  const tally = { messages: 3, rows: 4, deadLetters: 1, duplicates: 2, lastMessageMs: null }
  metrics.count('topic-0', tally, 6)
  metrics.count('topic-0', undefined, 1)

  const response = await app.inject('/metrics')

  t.match(response.headers['content-type'], /^text\/plain/)
  for (const line of [
    'smg_lag_records{topic="topic-0",partition="2"} 41',
    'smg_records_settled_total{topic="topic-0"} 7',
    'smg_messages_total{topic="topic-0"} 3',
    'smg_rows_total{topic="topic-0"} 4',
    'smg_dead_letters_total{topic="topic-0"} 1',
    'smg_duplicates_total{topic="topic-0"} 2'
  ])
    t.ok(response.payload.includes(`${line}\n`), line)
  t.notOk((await createServer([]).inject('/metrics')).payload.includes('partition="2"'), 'a lost partition is gone')
})
