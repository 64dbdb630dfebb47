import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startProcesses } from '../_support/processes.ts'

const TOPIC = 'user-activities'
const system = await startProcesses(t, { environment: { FUNCTIONS: TOPIC } })
const { sql, until } = system

/** Begins a request whose lines the test writes. */
function open(headers: Record<string, string> = {}) {
  const outgoing = request(`${system.gatewayUrl}/api/produce/${TOPIC}/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', ...headers }
  })
  outgoing.flushHeaders()
  outgoing.on('error', () => undefined)
  const answered = once(outgoing, 'response').then(([response]) => read(response))
  answered.catch(() => undefined)
  return { outgoing, answered }
}

async function read(response: IncomingMessage) {
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode, body: JSON.parse(text) }
}

const toLine = (userId: string, action: string) => `${JSON.stringify({ userId, action })}\n`

async function settled(prefix: string) {
  await until(async () => (await system.lag(TOPIC)) === 0, { timeoutMs: 60_000 })
  return sql`SELECT id::text AS id, topic, partition, "offset"::text AS "offset", value->>'userId' AS user, value->>'action' AS action
    FROM messages WHERE value->>'userId' LIKE ${`${prefix}%`} ORDER BY partition, messages."offset"`
}

t.test('10,000 lines are settled once, those of a key in their order', async t => {
  const users = 50
  const lines = Array.from({ length: 10_000 }, (_, index) => toLine(`many-${index % users}`, `漢${index}`))
  const { outgoing, answered } = open()
  const bytes = Buffer.from(lines.join(''))
  // Cut where it comes, in the midst of characters too.
  for (let from = 0; from < bytes.length; from += 9_973) {
    if (!outgoing.write(bytes.subarray(from, from + 9_973))) await once(outgoing, 'drain')
  }
  outgoing.end()

  const { status, body } = await answered
  const rows = await settled('many-')

  t.equal(status, 202)
  t.equal(rows.length, 10_000)
  const byId = new Map(rows.map(row => [row.id, row]))
  t.ok(
    body.results.every((one: Row, index: number) => {
      const row = byId.get(one.id)
      return (
        one.index === index &&
        row?.action === `漢${index}` &&
        row.offset === one.offset &&
        row.partition === one.partition
      )
    })
  )
  const last = new Map<string, number>()
  let disordered = 0
  for (const { user, action } of rows) {
    const index = Number(action.slice(1))
    if (index < (last.get(user) ?? -1)) disordered += 1
    last.set(user, index)
  }
  t.equal(disordered, 0)
})

t.test('rule 24: under a key, a repeat writes none of 10,000 lines again', async t => {
  const lines = Array.from({ length: 10_000 }, (_, index) => toLine(`keyed-${index % 7}`, `a${index}`))
  const answers = []
  for (let turn = 0; turn < 2; turn += 1) {
    const { outgoing, answered } = open({ 'idempotency-key': 'ten-thousand' })
    outgoing.end(lines.join(''))
    answers.push(await answered)
  }

  t.equal(answers[0]?.status, 202)
  t.strictSame(answers[1], answers[0])
  t.equal((await settled('keyed-')).length, 10_000)
})

t.test('what was accepted of a client that goes stays accepted', async t => {
  const { outgoing } = open()
  outgoing.write(toLine('gone', 'whole'))
  await until(async () => (await sql`SELECT FROM messages WHERE value->>'userId' = 'gone'`).length === 1)
  outgoing.write('{"userId":"gone","action":"ha')
  outgoing.destroy()
  await sleep(100)

  t.match(await settled('gone'), [{ action: 'whole' }])
  t.equal((await fetch(`${system.gatewayUrl}/health/ready`)).status, 200)
  t.notMatch(system.output('gateway'), /"level":[56]0/)
})

t.test('a SIGTERM answers a body that is still coming with what was accepted', async t => {
  const { outgoing, answered } = open()
  outgoing.write(toLine('stopped', 'before'))
  await until(async () => (await sql`SELECT FROM messages WHERE value->>'userId' = 'stopped'`).length === 1)
  const startedMs = performance.now()

  const ended = system.kill('gateway', 'SIGTERM')
  const { status, body } = await answered
  await ended

  t.equal(status, 503)
  t.match(body, { code: 'SMG_GATEWAY_CLOSING', results: [{ index: 0, status: 202 }] })
  t.ok(performance.now() - startedMs < 15_000)
})

interface Row {
  readonly id: string
  readonly index: number
  readonly partition: number
  readonly offset: string
}
