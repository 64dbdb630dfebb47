import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startProcesses, type TestProcesses } from '../_support/processes.ts'

// Measures what docs/guarantees.md says of speed under failures, side by side in one run:
//   npm run test:figures -- [--events 200000] [--rounds 3] [--letters 10000] [--kills 5]

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '3' },
    letters: { type: 'string', default: '10000' },
    kills: { type: 'string', default: '5' }
  }
})
const { events, rounds, letters, kills } = Object.fromEntries(
  Object.entries(values).map(([name, text]) => [name, Number(text)])
) as Record<keyof typeof values, number>
/** As short as Kafka allows by default. */
const SESSION_TIMEOUT_MS = 6_000
const PARTITIONS = 3

/** What makes one event in a thousand a bad one. */
const POISONS = {
  none: {},
  'breaks the schema': { action: '' },
  'PostgreSQL refuses its row': { action: 'poison' }
} as const

type Poison = keyof typeof POISONS

const ends: (() => Promise<unknown> | unknown)[] = []
const teardown = { teardown: (end: () => Promise<unknown> | unknown) => void ends.push(end) }
try {
  const rates = new Map<Poison, number[]>()
  for (let round = 0; round < rounds; round += 1) {
    for (const poison of Object.keys(POISONS) as Poison[]) {
      const rate = await drain(poison)
      rates.set(poison, [...(rates.get(poison) ?? []), rate])
      print(`round ${round + 1}, ${poison}: ${Math.round(rate)} events/s`)
    }
  }
  const clean = median(rates.get('none') ?? [])
  for (const [poison, all] of rates)
    print(`${poison}: ${Math.round(median(all))} events/s, ${(median(all) / clean).toFixed(2)} of clean`)
  print(`bulk redrive: ${Math.round(await redrive())} dead letters/s`)
  for (let kill = 0; kill < kills; kill += 1) {
    const seconds = (await takeOver()) / 1000
    print(`kill -9 of one of three runners: its partition stood still for ${seconds.toFixed(1)} s`)
  }
} finally {
  for (const end of ends.reverse()) await end()
}

/** Lets a runner drain a backlog, and gives events a second; throws when what is stored is wrong. */
async function drain(poison: Poison): Promise<number> {
  const own: typeof ends = []
  const processes = await startProcesses({ teardown: end => void own.push(end) }, { runners: 0 })
  try {
    await processes.sql`ALTER TABLE user_activities ADD CHECK (action <> 'poison')`
    const bad = poison === 'none' ? 0 : Math.floor(events / 1000)
    await fill(processes, poison)
    const startedMs = Date.now()
    await processes.startRunner('runner-0')
    const readyMs = Date.now()
    await processes.until(async () => (await settled(processes)) === events, {
      timeoutMs: 600_000,
      what: 'all is settled'
    })
    const tookMs = Date.now() - readyMs
    const [row] = await processes.sql`SELECT (SELECT count(*)::int FROM user_activities) AS rows,
      (SELECT count(*)::int FROM messages) AS messages, (SELECT count(*)::int FROM dead_letters) AS dead`
    if (row?.rows !== events - bad || row.messages !== events - bad || row.dead !== bad)
      throw new Error(
        `void: ${JSON.stringify(row)} of ${events} events, ${bad} of them bad; started in ${readyMs - startedMs} ms`
      )
    return (events / tookMs) * 1000
  } finally {
    for (const end of own.reverse()) await end()
  }
}

async function settled({ sql }: TestProcesses): Promise<number> {
  const [row] = await sql`SELECT sum(next_offset)::int AS next FROM topic_status`
  return Number(row?.next ?? 0)
}

/** Writes the backlog past the gateway, which would refuse what breaks the schema. */
async function fill({ kafkaBrokers, topicPrefix }: TestProcesses, poison: Poison): Promise<void> {
  const { Kafka, logLevel } = (await import('kafkajs')).default
  const kafka = new Kafka({ brokers: kafkaBrokers.split(','), logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  for (let first = 0; first < events; first += 1_000) {
    const messages = Array.from({ length: Math.min(1_000, events - first) }, (_, index) => {
      const number = first + index
      const isBad = poison !== 'none' && number % 1000 === 500
      const value = { userId: `u${number % 5000}`, action: `a${number % 50}`, ...(isBad ? POISONS[poison] : {}) }
      return {
        key: value.userId,
        partition: number % PARTITIONS,
        value: JSON.stringify(value),
        headers: { trace: randomUUID() }
      }
    })
    await producer.send({ topic: `${topicPrefix}user-activities`, messages })
  }
  await producer.disconnect()
}

/** Buries dead letters that break a rule, takes the rule away, and redrives them all; gives letters a second. */
async function redrive(): Promise<number> {
  const processes = await startProcesses(teardown, { runners: 1 })
  const { sql, gatewayUrl, until } = processes
  await sql`INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", key, value, headers, timestamp, stage,
      disposition, error_name, error_message, attempts)
    SELECT gen_random_uuid(), ${`${processes.groupPrefix}user-activities`}, 'user-activities', gen_random_uuid(), n % 3, n,
      convert_to('u' || n % 1000, 'UTF8'), convert_to(json_build_object('userId', 'u' || n % 1000, 'action', 'a')::text, 'UTF8'),
      '[]', now(), 'handle', 'attempts_exhausted', 'Error', 'away', 3
    FROM generate_series(1, ${letters}) AS n`
  const startedMs = Date.now()
  const answer = await fetch(`${gatewayUrl}/api/dead-letters/redrive`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ filter: { topic: 'user-activities' }, limit: letters })
  })
  print(`asked for in ${Date.now() - startedMs} ms: ${answer.status} ${(await answer.text()).slice(0, 120)}`)
  const resolved = async () =>
    (await sql`SELECT count(*)::int AS count FROM dead_letters WHERE state = 'resolved'`)[0]?.count
  await until(async () => (await resolved()) === letters, { timeoutMs: 300_000, what: 'all are resolved' })
  const seconds = (Date.now() - startedMs) / 1000
  const [row] = await sql`SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM user_activities`
  if (row?.rows !== letters || row.ids !== letters) throw new Error(`void: ${JSON.stringify(row)}`)
  return letters / seconds
}

/** Kills one of three runners under a steady load, and gives for how long a partition had no effect, in ms. */
async function takeOver(): Promise<number> {
  const own: typeof ends = []
  const environment = { CONSUMER_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS) }
  const processes = await startProcesses({ teardown: end => void own.push(end) }, { runners: 3, environment })
  const { sql, until, produce, kill, ids } = processes
  try {
    let sent = 0
    let isEnough = false
    const load = (async () => {
      for (; !isEnough; sent += 100) {
        await produce(
          'user-activities',
          Array.from({ length: 100 }, (_, index) => ({ userId: `u${sent + index}`, action: 'a' }))
        )
        await sleep(200)
      }
    })()
    load.catch(() => undefined)
    await until(async () => (await ids('messages')).length > 1_000, { timeoutMs: 60_000, what: 'three runners work' })
    const killedMs = Date.now()
    await kill('runner-0', 'SIGKILL')
    await sleep(SESSION_TIMEOUT_MS + 6_000)
    isEnough = true
    await load
    const all = async () => (await ids('messages')).length === sent
    await until(all, { timeoutMs: 60_000, what: 'all is settled' })
    const gaps = await sql`
      SELECT partition, extract(epoch FROM max(gap)) * 1000 AS ms FROM (
        SELECT partition, received_at - lag(received_at) OVER (PARTITION BY partition ORDER BY received_at) AS gap, received_at
        FROM messages) AS effects
      WHERE received_at > to_timestamp(${killedMs / 1000}) GROUP BY partition`
    if (gaps.length !== PARTITIONS) throw new Error(`void: effects in ${gaps.length} partitions after the kill`)
    const longestMs = Math.max(...gaps.map(({ ms }) => Number(ms)))
    if (longestMs < 1_000) throw new Error('void: the killed runner had no partition')
    return longestMs
  } finally {
    for (const end of own.reverse()) await end()
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0
}

function print(line: string) {
  process.stdout.write(`${line}\n`)
}
