import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from 'postgres'
import { launch, type Running } from '../../stack/launch.ts'
import { isAnswering, toNodeCommand } from '../../stack/node-part.ts'
import { createPortFinder } from '../../stack/ports.ts'
import { createProcessRecords } from '../../stack/process-records.ts'
import { createTestDatabase, type Teardown } from './database.ts'
import { findRecordsFile, testStack } from './stack.ts'

/** A gateway and runners as they are in production: processes, on ports, topics, groups and a database of their own. */
export interface TestProcesses {
  readonly gatewayUrl: string
  readonly kafkaBrokers: string
  readonly databaseUrl: string
  readonly topicPrefix: string
  readonly groupPrefix: string
  /** For looking into the database. */
  readonly sql: Sql
  /** Of what runs now: `gateway`, `runner-0`, … */
  readonly pids: ReadonlyMap<string, number>
  /** Starts one more; resolves when it is ready. Give a `name` to start a killed one again, on its old port. */
  startGateway(name?: string): Promise<void>
  startRunner(name?: string): Promise<void>
  /** Sends the signal and resolves when the process is gone. */
  kill(name: string, signal: NodeJS.Signals): Promise<void>
  /** Where a process listens. */
  urlOf(name: string): string
  /** The last lines that a process wrote. */
  output(name: string): string
  /** Produces events over HTTP, in batches of 1000, and gives their ids in order; throws when one is refused. */
  produce(topic: string, events: readonly object[]): Promise<string[]>
  /** Ids in a table, in order. */
  ids(table: string): Promise<string[]>
  /** Records of a topic that are not settled; read from `GET /api/topics/{topic}`. */
  lag(topic: string): Promise<number>
  /** Waits until `holds` gives true; throws after `timeoutMs`, with the output of the processes. */
  until(holds: () => Promise<boolean> | boolean, options?: { timeoutMs?: number; what?: string }): Promise<void>
}

export interface ProcessesOptions {
  /** Default 1. */
  readonly runners?: number
  /** 0 for tests of the runner alone; default 1. */
  readonly gateways?: 0 | 1
  /** Variables for all of them; FUNCTIONS_DIR for other functions. */
  readonly environment?: NodeJS.ProcessEnv
  /** How long one may take to be ready; default 60 s. */
  readonly readyTimeoutMs?: number
}

const ROOT = join(import.meta.dirname, '..', '..')
const BATCH = 1_000
const STOP_DEADLINE_MS = 8_000
const LAST_LINES = 200

/** Starts a gateway and runners of a test; they are ended with it, and by the keeper if it crashes. */
export async function startProcesses(t: Teardown, options: ProcessesOptions = {}): Promise<TestProcesses> {
  const { runners = 1, gateways = 1, environment = {}, readyTimeoutMs = 60_000 } = options
  const { kafkaBrokers } = testStack()
  const { databaseUrl, sql } = await createTestDatabase(t)
  const prefix = `t${randomBytes(6).toString('hex')}.`
  const findPort = createPortFinder()
  const records = createProcessRecords(findRecordsFile() ?? join(ROOT, '.smg', 'test-processes', `${process.pid}.json`))
  const variables = {
    KAFKA_BROKERS: kafkaBrokers,
    DATABASE_URL: databaseUrl,
    TOPIC_PREFIX: prefix,
    GROUP_PREFIX: prefix
  }
  // What nobody asked for writes nothing: no telemetry, and no notice of what a test breaks.
  const quiet = { LOG_LEVEL: 'info', TELEMETRY_INTERVAL_MS: '0', ALERT_INTERVAL_MS: '300000' }
  const base = { ...process.env, ...quiet, ...variables, ...environment }

  const running = new Map<string, Running>()
  const ports = new Map<string, number>()
  const lines = new Map<string, string[]>()
  t.teardown(() => Promise.all([...running.keys()].map(name => kill(name, 'SIGTERM'))))

  if (gateways) await start('gateway', 'gateway/main.ts', 'PORT')
  await Promise.all(Array.from({ length: runners }, (_, index) => startRunner(`runner-${index}`)))

  return {
    kafkaBrokers,
    databaseUrl,
    sql,
    topicPrefix: prefix,
    groupPrefix: prefix,
    startRunner,
    startGateway: (name = 'gateway') => start(name, 'gateway/main.ts', 'PORT'),
    kill,
    urlOf,
    output,
    produce,
    until,
    get gatewayUrl() {
      return urlOf('gateway')
    },
    get pids() {
      return new Map([...running].map(([name, { pid }]) => [name, pid ?? 0]))
    },
    async ids(table) {
      const rows = await sql`SELECT id::text AS id FROM ${sql(table)} ORDER BY id`
      return rows.map(({ id }) => id)
    },
    async lag(topic) {
      const { lag } = await ask(`/api/topics/${topic}`)
      return Number(lag)
    }
  }

  function startRunner(name = `runner-${ports.size}`): Promise<void> {
    return start(name, 'runner/main.ts', 'RUNNER_PORT')
  }

  async function start(name: string, main: string, portVariable: string) {
    const port = ports.get(name) ?? (await findPort(0))
    ports.set(name, port)
    const onLine = (line: string) => keepLine(name, line)
    const command = toNodeCommand(main, ROOT, { ...base, HOST: '127.0.0.1', [portVariable]: String(port) })
    const child = launch(command, { name, records, onLine })
    running.set(name, child)
    void child.ended.then(({ reason }) => {
      onLine(`ended: ${reason}`)
      if (running.get(name) === child) running.delete(name)
    })

    await until(
      () => {
        if (running.get(name) !== child) throw new Error(`${name} ended before it was ready:\n${output(name)}`)
        return isAnswering(`${urlOf(name)}/health/ready`)
      },
      { timeoutMs: readyTimeoutMs, what: `${name} is ready` }
    )
  }

  async function kill(name: string, signal: NodeJS.Signals) {
    await running.get(name)?.end(signal, STOP_DEADLINE_MS)
    running.delete(name)
  }

  async function produce(topic: string, events: readonly object[]): Promise<string[]> {
    const ids: string[] = []
    for (let first = 0; first < events.length; first += BATCH) {
      const batch = { events: events.slice(first, first + BATCH) }
      const { results } = await ask(`/api/produce/${topic}/batch`, batch)
      for (const { id } of results) ids.push(id)
    }
    return ids
  }

  async function ask(path: string, body?: object) {
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const response = await fetch(`${urlOf('gateway')}${path}`, body ? post : {})
    const text = await response.text()
    // 207 is a batch of which some events were refused.
    if (!response.ok || response.status === 207)
      throw new Error(`${path} answers ${response.status}: ${text.slice(0, 500)}`)
    return JSON.parse(text)
  }

  async function until(
    holds: () => Promise<boolean> | boolean,
    { timeoutMs = 30_000, what = String(holds) }: { timeoutMs?: number; what?: string } = {}
  ) {
    for (const deadline = Date.now() + timeoutMs; !(await holds()); await sleep(25)) {
      if (Date.now() < deadline) continue
      const outputs = [...lines.keys()].map(name => `--- ${name}\n${output(name)}`).join('\n')
      throw new Error(`did not come true within ${timeoutMs} ms: ${what}\n${outputs}`)
    }
  }

  function keepLine(name: string, line: string) {
    const kept = lines.get(name) ?? []
    lines.set(name, kept)
    if (kept.push(line) > LAST_LINES) kept.shift()
  }

  function output(name: string): string {
    return lines.get(name)?.join('\n') ?? ''
  }

  function urlOf(name: string): string {
    return `http://127.0.0.1:${ports.get(name)}`
  }
}
