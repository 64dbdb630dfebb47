import { join } from 'node:path'
import type { StackConfig } from './config.ts'
import { stackErrors } from './errors.ts'
import { describeNodePart, type NodePart, toNodeCommand } from './node-part.ts'
import type { Output } from './output.ts'
import { createPart, type Part, type PartSpec } from './part.ts'
import { createPortFinder } from './ports.ts'
import { createProcessRecords } from './process-records.ts'
import type { Effect } from './rooms.ts'
import { runTask } from './run-task.ts'
import { type Server, startKafka, startPostgres } from './servers.ts'
import type { Site } from './site.ts'
import { createStateFile, type StackState } from './state-file.ts'
import { watchRooms } from './watch-rooms.ts'

export interface StackOptions {
  readonly config: StackConfig
  /** What the parts inherit. */
  readonly environment: NodeJS.ProcessEnv
  /** The folder of package.json. */
  readonly root: string
  readonly output: Output
}

// A runner may take 10 s by itself: killed earlier, it would keep its partitions until its session ends.
const STOP_DEADLINE_MS = { runner: 10_500, gateway: 3_000 }
const OWN_SESSION_TIMEOUT_MS = '10000'

/** Builds the whole system on this machine. `stop` may be called at any time, also while `start` is at work. */
export function createStack({ config, environment, root, output }: StackOptions) {
  const { dataFolder } = config
  const { log, onLine } = output
  const shutdown = new AbortController()
  const findPort = createPortFinder()
  const records = createProcessRecords(join(dataFolder, 'pids.json'))
  const stateFile = createStateFile(join(dataFolder, 'stack.json'))
  const site: Site = {
    dataFolder,
    logFolder: join(dataFolder, 'logs'),
    environment,
    records,
    findPort,
    log,
    shutdown: shutdown.signal
  }

  const parts: Part[] = []
  const nodeParts: { part: Part; url: NodePart['url'] }[] = []
  const servers: { kafka?: Server; postgres?: Server } = {}
  let isReady = false
  let stopWatching = async () => {}

  return { start, stop }

  /** Resolves when everything answers. Rejects with the first failure; then `stop` is still to be called. */
  async function start(): Promise<StackState> {
    const left = await records.sweep()
    if (left.length > 0) log.warn(`ended what an earlier start had left running: ${left.join(', ')}`)

    const [kafka, postgres] = await Promise.all([
      startKafka(site, { given: config.kafkaBrokers, port: config.kafkaPort, toPart: addPart }),
      startPostgres(site, { given: config.databaseUrl, port: config.postgresPort, toPart: addPart }).then(
        async server => {
          await migrate(server.address)
          return server
        }
      )
    ])
    Object.assign(servers, { kafka, postgres })
    await startNodeParts(kafka.address, postgres.address)
    isReady = true
    stopWatching = watchRooms({ root, functionsFolder: config.functionsFolder, log, onChange: onFilesChanged })
    return saveState()
  }

  async function startNodeParts(kafkaBrokers: string, databaseUrl: string) {
    const shared = { root, host: config.host, environment: partEnvironment(kafkaBrokers, databaseUrl), findPort, log }
    const gateway = describeNodePart({
      ...shared,
      name: 'gateway',
      main: 'gateway/main.ts',
      preferredPort: config.port,
      portVariable: 'PORT',
      stopDeadlineMs: STOP_DEADLINE_MS.gateway
    })
    const runners = Array.from({ length: config.runners }, (_, index) =>
      describeNodePart({
        ...shared,
        name: `runner-${index}`,
        main: 'runner/main.ts',
        preferredPort: config.runnerPort && config.runnerPort + index,
        portVariable: 'RUNNER_PORT',
        stopDeadlineMs: STOP_DEADLINE_MS.runner
      })
    )
    nodeParts.push(...[gateway, ...runners].map(({ spec, url }) => ({ part: addPart(spec), url })))
    await Promise.all(nodeParts.map(({ part }) => part.start()))
  }

  /** In the order of what needs what; within its deadlines. Removes every trace but data and logs. */
  async function stop() {
    shutdown.abort()
    stateFile.remove()
    await stopWatching()
    const [gateway, ...runners] = nodeParts.map(({ part }) => part)
    await Promise.all(runners.map(part => part.stop()))
    await gateway?.stop()
    // Also those of a start that failed half way.
    for (const name of ['kafka', 'postgres']) await parts.find(part => part.name === name)?.stop()
    await servers.kafka?.stop()
    await servers.postgres?.stop()
    await records.sweep()
  }

  function addPart(spec: PartSpec): Part {
    if (shutdown.signal.aborted) throw new stackErrors.SMG_STACK_STOPPED()
    const part = createPart(spec, { log, records, onLine, onChange: onPartChanged })
    parts.push(part)
    return part
  }

  function onPartChanged(name: string, state: 'started' | 'ready') {
    if (!isReady || shutdown.signal.aborted) return
    saveState()
    if (state === 'ready') log.info({ part: name }, `${name} is back`)
  }

  function saveState(): StackState {
    const [gateway, ...runners] = nodeParts
    const { kafka, postgres } = servers
    const state = {
      gatewayUrl: gateway?.url() ?? '',
      kafkaBrokers: kafka?.address ?? '',
      databaseUrl: postgres?.address ?? '',
      runnerUrls: runners.map(({ url }) => url()),
      pids: {
        gateway: gateway?.part.pid ?? null,
        runners: runners.map(({ part }) => part.pid),
        kafka: kafka?.pid() ?? undefined,
        postgres: postgres?.pid() ?? undefined
      }
    }
    stateFile.write(state)
    return state
  }

  async function migrate(databaseUrl: string) {
    const command = toNodeCommand('db/main.ts', root, { ...environment, DATABASE_URL: databaseUrl })
    await runTask(command, {
      name: 'migrate',
      records,
      shutdown: shutdown.signal,
      onLine: line => onLine('migrate', line)
    })
  }

  async function onFilesChanged(effect: Effect, files: readonly string[]) {
    const affected = nodeParts
      .map(({ part }) => part)
      .filter(({ name }) => (name === 'gateway' ? effect.gateway : effect.runners))
    log.info(`${files.slice(0, 3).join(', ')} changed: restarts ${affected.map(({ name }) => name).join(', ')}`)
    try {
      if (effect.migrate) await migrate(servers.postgres?.address ?? '')
    } catch (error) {
      if (!shutdown.signal.aborted) log.error(`${messageOf(error)}; the parts go on as they were`)
      return
    }
    for (const part of affected) part.restart()
  }

  function partEnvironment(kafkaBrokers: string, databaseUrl: string): NodeJS.ProcessEnv {
    const links = { KAFKA_BROKERS: kafkaBrokers, DATABASE_URL: databaseUrl }
    if (config.kafkaBrokers) return { ...environment, ...links }
    const ownKafka = {
      // One broker, also in production.
      TOPIC_REPLICATION_FACTOR: String(config.topicReplicationFactor ?? 1),
      // All on one machine: who does not answer for so long is dead, and somebody is looking at the screen.
      CONSUMER_SESSION_TIMEOUT_MS: environment.CONSUMER_SESSION_TIMEOUT_MS ?? OWN_SESSION_TIMEOUT_MS
    }
    return { ...environment, ...links, ...ownKafka }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
