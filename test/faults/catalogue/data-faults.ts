import { isDeepStrictEqual } from 'node:util'
import type { HistoryLine } from '../history.ts'
import { createHttpClient } from '../http-client.ts'
import { toOutcome } from '../outcome.ts'
import { retry } from '../postgres.ts'
import type { Random } from '../random.ts'
import type { System } from '../system.ts'
import { type Fault, type FaultContext, seconds } from './fault.ts'

const FUZZ_COUNT = 150
const SMALL_BYTES = 100_000
const TIMEOUT_MS = 15_000
const HOUR_MS = 3_540_000
const CLOCK = `--import ${new URL('../shift-clock.mjs', import.meta.url).href}`

/** Rows 13, 14 and 15: what events hold, how large they are, and what time it is. */
export const dataFaults: readonly Fault[] = [
  ...[HOUR_MS, -HOUR_MS].flatMap(ms => [
    clock('runner', ms, 'before it starts'),
    clock('gateway', ms, 'before it starts')
  ]),
  {
    row: 13,
    name: 'clock-jumps',
    title: 'the clock of a runner jumps while it works',
    setup: random => ({
      runner: {
        NODE_OPTIONS: CLOCK,
        FAULTS_CLOCK_JUMP_MS: String(random.pick([HOUR_MS, -HOUR_MS])),
        FAULTS_CLOCK_AFTER_MS: '6000'
      }
    }),
    inject: async () => undefined
  },
  {
    row: 14,
    name: 'payload-fuzz',
    title: 'odd bodies: each is refused at the door, or stored equal in value',
    inject: fuzz
  },
  {
    row: 15,
    name: 'oversize',
    title: 'bodies, batches, keys and headers that are too large fail alone',
    inject: oversize
  }
]

function clock(party: 'runner' | 'gateway', ms: number, when: string): Fault {
  return {
    row: 13,
    name: `${party}-clock-${ms > 0 ? 'ahead' : 'behind'}`,
    title: `the clock of a ${party} is an hour ${ms > 0 ? 'ahead' : 'behind'}, ${when}`,
    setup: () => ({ [party]: { NODE_OPTIONS: CLOCK, FAULTS_CLOCK_OFFSET_MS: String(ms) } }),
    inject: async () => undefined
  }
}

interface Fuzzed {
  readonly line: HistoryLine
  readonly body: string
}

async function fuzz(context: FaultContext): Promise<void> {
  const { system, random, history, signal } = context
  const client = createHttpClient()
  const sent: Fuzzed[] = []
  for (let count = 1; count <= FUZZ_COUNT && !signal.aborted; count += 1) {
    const ref = `z${count}`
    const key = `fuzz-${random.integer(0, 5)}`
    const body = toOddBody(random, { ref, key, seq: count })
    const url = `${random.pick(system.gateways).url}/api/produce/entries`
    const sentMs = Date.now()
    const answer = await client.post(url, body, { timeoutMs: TIMEOUT_MS })
    const times = { scheduledMs: sentMs, sentMs, answeredMs: Date.now() }
    const fixed = { topic: 'entries', seq: count, expected: 'effect', from: 'http', idempotencyKey: null } as const
    const line = { ref, key, ...fixed, request: -2, ...times, outcome: toOutcome(answer) }
    history.add(line)
    sent.push({ line, body })
    if (answer.kind === 'answer' && answer.status >= 500 && answer.status !== 503) {
      system.blame('I4', `${ref} is answered ${answer.status}: ${body.slice(0, 200)}`)
    }
  }
  client.close()
  await seconds(1, signal)
  await compareStored(system, sent)
}

/** What was acknowledged comes back as `JSON.parse` would give it. */
async function compareStored(system: System, sent: readonly Fuzzed[]): Promise<void> {
  for (const { line, body } of sent) {
    if (line.outcome.kind !== 'acked' || line.outcome.id === null) continue
    const { id } = line.outcome
    const rows = await retry(async () => {
      const found = await system.database.sql`
        SELECT value::text AS value FROM messages WHERE topic = 'entries' AND id = ${id}`
      if (found.length === 0) throw new Error('not settled yet')
      return found
    }, 20_000).catch(() => [])
    // The checker says what is missing.
    if (rows[0] && !isDeepStrictEqual(JSON.parse(rows[0].value), JSON.parse(body))) {
      system.blame(
        'I1',
        `${line.ref} is stored as ${String(rows[0].value).slice(0, 200)}, and was ${body.slice(0, 200)}`
      )
    }
  }
}

/** An event with something odd about it; mostly one that is legal all the same. */
function toOddBody(random: Random, event: { ref: string; key: string; seq: number }): string {
  const text = JSON.stringify(event)
  const withData = (data: string) => `${text.slice(0, -1)},"data":${data}}`
  const odd: (() => string)[] = [
    () => '',
    () => text.slice(0, random.integer(1, text.length - 1)),
    () => `\ufeff${text}`,
    () => withData('"\\u0000"'),
    () => withData('"\\ud800"'),
    () => withData('"\\udc00\\ud800"'),
    () => withData('"\\ud83d\\ude00 \u{1f600} \u2028"'),
    () => withData('1e400'),
    () => withData('-0'),
    () => withData('12345678901234567890.123456789'),
    () => withData('1E-400'),
    () => withData('{"a":1,"a":2}'),
    () => withData('{"__proto__":{"x":1}}'),
    () => withData('{"constructor":{"prototype":1}}'),
    () => withData('['.repeat(40) + ']'.repeat(40)),
    () => withData('['.repeat(5000) + ']'.repeat(5000)),
    () => withData('{"":{"\\"":"\\\\","\\t":"\\n"}}'),
    () => withData(JSON.stringify(Array.from({ length: 200 }, () => random.next()))),
    () => withData(JSON.stringify('€'.repeat(random.integer(1, 5000)))),
    () => withData('null'),
    () => withData('[null,true,false,{},[]]'),
    () => withData('"\\u007f\\u0080\\uffff\\ufffe"'),
    () => `${text.slice(0, -1)},"seq":${event.seq}}`,
    () => ` \n\t${text}\r\n `,
    () => `${text}garbage`,
    () => `${text.slice(0, -1)},"unknown":1}`,
    () => withData('NaN'),
    () => withData('{"toString":1,"valueOf":2,"hasOwnProperty":3}')
  ]
  return random.pick(odd)()
}

async function oversize({ system, random, history, signal }: FaultContext): Promise<void> {
  const { cluster, topicPrefix } = system
  const client = createHttpClient()
  const topic = 'poison'
  await retry(() =>
    cluster.withAdmin(admin =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: 2,
            name: `${topicPrefix}${topic}`,
            configEntries: [{ name: 'max.message.bytes', value: String(SMALL_BYTES) }]
          }
        ]
      })
    )
  )
  // A gateway asks for a topic's own limit now and then only.
  await seconds(1, signal)
  for (let round = 0; round < 5 && !signal.aborted; round += 1) {
    const { url } = random.pick(system.gateways)
    const sizes = [10, 2 * SMALL_BYTES, 20, 30]
    const events = sizes.map((bytes, index) => ({
      ref: `o${round}-${index}`,
      key: `large-${index}`,
      seq: round,
      pad: 'x'.repeat(bytes)
    }))
    const sentMs = Date.now()
    const body = JSON.stringify({ events })
    const answer = await client.post(`${url}/api/produce/${topic}/batch`, body, { timeoutMs: TIMEOUT_MS })
    const results = answer.kind === 'answer' ? (answer.body as { results?: { status: number }[] }).results : undefined
    const times = { scheduledMs: sentMs, sentMs, answeredMs: Date.now() }
    events.forEach(({ ref, key, seq }, index) => {
      const result = results?.[index]
      const own = answer.kind === 'answer' && result ? { ...answer, status: result.status, body: result } : answer
      const fixed = { topic, expected: 'effect', from: 'http', idempotencyKey: null } as const
      history.add({ ref, key, seq, ...fixed, request: -3, ...times, outcome: toOutcome(own) })
      const wanted = index === 1 ? 413 : 202
      if (result && result.status !== wanted && result.status !== 503) {
        system.blame('I4', `${ref} of ${sizes[index]} bytes is answered ${result.status}, and not ${wanted}`)
      }
    })
    await expectStatus(
      system,
      `${url}/api/produce/entries`,
      `{"ref":"o","key":"k","seq":1,"pad":"${'x'.repeat(1_048_577)}"}`,
      413
    )
    await expectStatus(
      system,
      `${url}/api/produce/entries`,
      `{"ref":"o","key":"${'k'.repeat(1_000_000)}","seq":1}`,
      400
    )
  }
  client.close()
}

async function expectStatus(system: System, url: string, body: string, status: number): Promise<void> {
  const client = createHttpClient()
  const answer = await client.post(url, body, { timeoutMs: TIMEOUT_MS })
  client.close()
  if (answer.kind === 'answer' && answer.status !== status) {
    system.blame('I4', `${body.length} bytes are answered ${answer.status}, and not ${status}`)
  }
}
