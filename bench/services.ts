import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, launch } from '../stack/launch.ts'
import { isAnswering, toNodeCommand } from '../stack/node-part.ts'
import type { Servers } from './servers.ts'

/** A process that listens. */
export interface Service {
  readonly url: string
  readonly pid: number
  /** Resolves when it has ended. */
  stop(): Promise<void>
}

/** Where a part of ours reads and writes. */
export interface Place {
  readonly kafkaBrokers: string
  /** Of a database of its own. */
  readonly databaseUrl: string
  /** `<prefix>user-activities`. */
  readonly topicPrefix: string
  /** Begins the name of its group. */
  readonly groupPrefix: string
  /** A free one. */
  readonly port: number
  /** Variables that are not as a user finds them. */
  readonly settings?: NodeJS.ProcessEnv
  /** Of Node. */
  readonly flags?: readonly string[]
}

/** Of the project. */
export const ROOT = join(import.meta.dirname, '..')
/** What the build makes. */
export const DIST = join(ROOT, 'dist')
const READY_MS = 30_000
const POLL_MS = 20
const STOP_DEADLINE_MS = 10_000

/** Our runner, compiled, as in production; another build of it, or other functions, where they are given. */
export function toRunnerCommand(
  { port, ...place }: Place,
  { dist = DIST, functionsFolder }: { readonly dist?: string; readonly functionsFolder?: string } = {}
): Command {
  const functions = functionsFolder ? { FUNCTIONS_DIR: functionsFolder } : { FUNCTIONS: 'user-activities' }
  return toOurs('runner', place, { dist, env: { RUNNER_PORT: String(port), TELEMETRY_INTERVAL_MS: '0', ...functions } })
}

/**
 * Our gateway, compiled, as in production with its line of log for each request; without security, as what it is beside:
 * nobody is limited then.
 */
export function toGatewayCommand({ port, ...place }: Place, { dist = DIST }: { readonly dist?: string } = {}): Command {
  const open = { SECURITY_ENABLED: 'false', ALLOW_INSECURE_PRODUCTION: 'true' }
  const env = { PORT: String(port), TELEMETRY_INTERVAL_MS: '0', ...open }
  return toOurs('gateway', place, { dist, env })
}

/** A server of `bench/contenders`; it listens on `PORT`. */
export function toContenderCommand(name: string, env: NodeJS.ProcessEnv): Command {
  const settings = { NODE_ENV: 'production', KAFKAJS_NO_PARTITIONER_WARNING: '1', ...ALLOCATOR, ...env }
  const command = toNodeCommand(join('bench', 'contenders', `${name}.ts`), ROOT, { ...process.env, ...settings })
  return { ...command, args: [...FLAGS, ...command.args] }
}

/** Starts a process, its output into a file, and waits until `path` is answered with 200. */
export async function startService(
  { site }: Servers,
  name: string,
  { toCommand, path }: { readonly toCommand: (port: number) => Command; readonly path: string }
): Promise<Service> {
  const port = await site.findPort(0)
  const outputFile = join(site.logFolder, `${name}.log`)
  const running = launch({ ...toCommand(port), outputFile }, { name, records: site.records })
  const url = `http://127.0.0.1:${port}`
  const stop = () => running.end('SIGTERM', STOP_DEADLINE_MS)
  const death = new AbortController()
  void running.ended.then(() => death.abort())

  for (const untilMs = performance.now() + READY_MS; !(await isAnswering(`${url}${path}`)); await sleep(POLL_MS)) {
    if (!death.signal.aborted && performance.now() < untilMs) continue
    await stop()
    const { reason, lastWords } = await running.ended
    throw new Error(`${name} did not start (${reason}): ${lastWords}`)
  }
  return { url, pid: running.pid ?? 0, stop }
}

// As npm's scripts and compose start both parts, and for the others too: less work for a garbage collector, for some 20 MB
// under load.
const FLAGS = ['--max-semi-space-size=32']
// As the image sets it, and for the others too: it makes a Node some 20 MB smaller.
const ALLOCATOR = { MALLOC_ARENA_MAX: '2' }

function toOurs(
  room: string,
  place: Omit<Place, 'port'>,
  { dist, env }: { readonly dist: string; readonly env: NodeJS.ProcessEnv }
): Command {
  return {
    file: process.execPath,
    args: [...FLAGS, ...(place.flags ?? []), join(dist, room, 'main.js')],
    cwd: ROOT,
    env: {
      ...process.env,
      NODE_ENV: 'production',
      ...ALLOCATOR,
      TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_BROKERS: place.kafkaBrokers,
      DATABASE_URL: place.databaseUrl,
      TOPIC_PREFIX: place.topicPrefix,
      GROUP_PREFIX: place.groupPrefix,
      ...env,
      ...place.settings
    }
  }
}
