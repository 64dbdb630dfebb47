import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAnswering, toNodeCommand } from '../../stack/node-part.ts'
import type { Invariant } from './checker.ts'
import type { Cluster } from './cluster.ts'
import { createProcess, type Machine, type Process } from './machine.ts'
import { type FaultDatabase, type Postgres, ROLE, retry } from './postgres.ts'
import { type FaultProxy, openProxy } from './proxy.ts'

/** A gateway or a runner, with a link of its own to PostgreSQL. */
export interface Member {
  readonly name: string
  readonly url: string
  readonly process: Process
  readonly database: FaultProxy
  /** For its next start only. */
  prepare(environment: NodeJS.ProcessEnv): void
  /** For all of its later starts; what was deployed before is gone. */
  deploy(environment: NodeJS.ProcessEnv): void
  /** Kept down until `release`: whoever looks after the processes leaves it alone. */
  hold(): void
  release(): void
  isHeld(): boolean
}

/** Ends what faults did to tables: an older copy of the database may bring back what was ended before. */
const END_FAULTS = `
  DROP TRIGGER IF EXISTS fault ON messages;
  DROP TRIGGER IF EXISTS fault ON fault_entries;
  DROP TRIGGER IF EXISTS fault ON fault_effects;
  GRANT INSERT ON fault_entries TO ${ROLE}`

/** All of one schedule: two gateways and some runners on topics, groups and a database of their own. */
export interface System {
  readonly cluster: Cluster
  readonly postgres: Postgres
  readonly database: FaultDatabase
  readonly gateways: readonly Member[]
  /** Grows when a fault starts more of them. */
  readonly runners: readonly Member[]
  readonly topicPrefix: string
  readonly groupPrefix: string
  readonly folder: string
  /** While this file is there, some functions are broken (`broken.ts`). */
  readonly switchFile: string
  /** Long faults, as the catalogue has them, instead of some seconds. */
  readonly isFull: boolean
  /** Told of what a fault saw and did. */
  note(text: string): void
  /** A note that is printed, too. */
  measure(text: string): void
  /** Something that must have been so and was not. */
  blame(invariant: Invariant, text: string): void
  readonly notes: readonly string[]
  readonly blames: readonly { invariant: Invariant; text: string }[]
  addRunner(): Promise<Member>
  /** Mends everything: servers, links, processes. */
  heal(): Promise<void>
  /** Stops the processes as a deployment does, and gives those that had to be killed. */
  stop(): Promise<string[]>
  /** Ends everything at once. */
  kill(): Promise<void>
}

export interface SystemOptions {
  readonly cluster: Cluster
  readonly postgres: Postgres
  readonly machine: Machine
  readonly name: string
  readonly folder: string
  readonly gateways: number
  readonly runners: number
  readonly isFull: boolean
  /** The naive consumer in place of our runners. */
  readonly isNaive: boolean
  /** For the first start of the first runner and the first gateway only. */
  readonly firstStart?: { readonly runner: NodeJS.ProcessEnv; readonly gateway: NodeJS.ProcessEnv }
}

export const SESSION_TIMEOUT_MS = Number(process.env.FAULTS_SESSION_TIMEOUT_MS ?? 6_000)
// Long enough for a new leader.
export const PRODUCE_TIMEOUT_MS = 8_000
/** Begins the notes of what was measured. */
export const MEASURED = 'measured: '
const RESTART_MS = 300
const WATCH_MS = 100
/** Enough for the load; and what eats all of it dies in a second or two. */
const RUNNER_HEAP_MB = 384

/** Starts a system; resolves when its gateways and runners are ready. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { cluster, postgres, machine, name, folder, isFull, isNaive } = options
  mkdirSync(join(folder, 'logs'), { recursive: true })
  const database = await postgres.createDatabase(`f_${name.replaceAll('-', '_')}`)
  const topicPrefix = `${name}.`
  const switchFile = join(folder, 'broken')
  const notes: string[] = []
  const blames: { invariant: Invariant; text: string }[] = []
  const runners: Member[] = []
  const startedMs = Date.now()
  let isOver = false
  const watches: Promise<void>[] = []

  const gateways = await Promise.all(
    Array.from({ length: options.gateways }, (_, index) => createMember('gateway', index))
  )
  for (let index = 0; index < options.runners; index += 1) runners.push(await createMember('runner', index))

  const system: System = {
    cluster,
    postgres,
    database,
    gateways,
    runners,
    topicPrefix,
    groupPrefix: topicPrefix,
    folder,
    switchFile,
    isFull,
    notes,
    blames,
    note(text) {
      notes.push(`${((Date.now() - startedMs) / 1000).toFixed(1)} s: ${text}`)
    },
    measure(text) {
      system.note(`${MEASURED}${text}`)
    },
    blame(invariant, text) {
      blames.push({ invariant, text })
    },
    async addRunner() {
      const runner = await createMember('runner', runners.length)
      runners.push(runner)
      await runner.process.start()
      watch(runner)
      return runner
    },
    async heal() {
      await Promise.all([cluster.heal(), postgres.heal()])
      await retry(() => database.sql.unsafe(END_FAULTS))
      for (const member of [...gateways, ...runners]) {
        member.process.resume()
        member.release()
        await member.database.heal()
      }
    },
    async stop() {
      isOver = true
      const late: string[] = []
      await Promise.all(
        [...gateways, ...runners].map(async member => {
          if (await member.process.end('SIGTERM')) late.push(member.name)
        })
      )
      await Promise.all(watches)
      return late
    },
    async kill() {
      isOver = true
      await Promise.all([...gateways, ...runners].map(({ process }) => process.end('SIGKILL')))
      await Promise.all(watches)
      await Promise.all([...gateways, ...runners].map(({ database: link }) => link.close()))
      await retry(() => database.drop()).catch(() => undefined)
      await deleteTopics(cluster, topicPrefix).catch(() => undefined)
    }
  }
  gateways[0]?.prepare(options.firstStart?.gateway ?? {})
  runners[0]?.prepare(options.firstStart?.runner ?? {})
  try {
    await Promise.all([...gateways, ...runners].map(({ process }) => process.start()))
  } catch (error) {
    await system.kill()
    throw error
  }
  for (const member of [...gateways, ...runners]) watch(member)
  return system

  async function createMember(party: 'gateway' | 'runner', index: number): Promise<Member> {
    const memberName = `${party}-${index}`
    const port = await machine.findPort(0)
    const link = await openProxy({ targetPort: postgres.port })
    const url = `http://127.0.0.1:${port}`
    const databaseUrl = new URL(database.url)
    databaseUrl.port = String(link.port)
    let once: NodeJS.ProcessEnv = {}
    let deployed: NodeJS.ProcessEnv = {}
    let isHeld = false

    const environment = {
      ...process.env,
      LOG_LEVEL: 'info',
      TELEMETRY_INTERVAL_MS: '0',
      HOST: '127.0.0.1',
      KAFKA_BROKERS: cluster.addressFor(party),
      DATABASE_URL: databaseUrl.href,
      TOPIC_PREFIX: topicPrefix,
      GROUP_PREFIX: topicPrefix,
      TOPIC_REPLICATION_FACTOR: String(cluster.brokers.length),
      FUNCTIONS_DIR: join(machine.root, 'test/faults/functions'),
      CONSUMER_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
      PRODUCE_TIMEOUT_MS: String(PRODUCE_TIMEOUT_MS),
      FAULTS_SWITCH: switchFile,
      [party === 'gateway' ? 'PORT' : 'RUNNER_PORT']: String(port)
    }
    const main = party === 'runner' && isNaive ? 'test/faults/naive-consumer.ts' : `${party}/main.ts`
    const child = createProcess({
      name: memberName,
      async command() {
        const env = { ...environment, ...deployed, ...once }
        const heap = party === 'runner' ? `--max-old-space-size=${RUNNER_HEAP_MB}` : ''
        // Options of several add up.
        const options = [heap, process.env.NODE_OPTIONS, once.NODE_OPTIONS].filter(Boolean)
        if (options.length > 0) env.NODE_OPTIONS = options.join(' ')
        once = {}
        return { ...toNodeCommand(main, machine.root, env), outputFile: join(folder, 'logs', `${memberName}.log`) }
      },
      isReady: () => isAnswering(`${url}/health/ready`),
      records: machine.records
    })
    return {
      name: memberName,
      url,
      process: child,
      database: link,
      prepare(next) {
        once = next
      },
      deploy(next) {
        deployed = next
      },
      hold() {
        isHeld = true
      },
      release() {
        isHeld = false
      },
      isHeld: () => isHeld
    }
  }

  /** Starts a process again that ended, as a supervisor does, and nothing else. */
  function watch(member: Member) {
    watches.push(
      (async () => {
        while (!isOver) {
          await sleep(WATCH_MS)
          if (member.process.isRunning() || member.isHeld() || isOver) continue
          system.note(`${member.name} ended (${(await member.process.ended()).reason}) and is started again`)
          await sleep(RESTART_MS)
          // Until it is ready it may end as often as it likes.
          if (!isOver) await member.process.start().catch(() => undefined)
        }
      })()
    )
  }
}

async function deleteTopics(cluster: Cluster, prefix: string): Promise<void> {
  await cluster.withAdmin(async admin => {
    const topics = (await admin.listTopics()).filter(topic => topic.startsWith(prefix))
    if (topics.length > 0) await admin.deleteTopics({ topics })
  })
}
