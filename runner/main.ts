import { hostname } from 'node:os'
import closeWithGrace from 'close-with-grace'
import pino, { type Logger } from 'pino'
import { createDatabase } from '../db/client.ts'
import { createOperatorQueries } from '../db/queries/operators.ts'
import { createOutboxQueries } from '../db/queries/outbox.ts'
import { createPositionQueries } from '../db/queries/positions.ts'
import { createKafkaClient } from '../kafka/client.ts'
import { createClusterView } from '../kafka/cluster.ts'
import { createProducer } from '../kafka/producer.ts'
import { ensureTopics } from '../kafka/topics.ts'
import { armFailpoints } from '../sdk/failpoints.ts'
import { loadFunctions, pickFunctions } from '../sdk/load-functions.ts'
import { createErrorEvents } from '../sdk/telemetry/error-events.ts'
import { tapErrors } from '../sdk/telemetry/tap-errors.ts'
import { createTelemetry } from '../sdk/telemetry/telemetry.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import { type RunnerConfig, readRunnerConfig } from './config.ts'
import { createAttachment, toGroupId } from './create-attachment.ts'
import { runnerErrors } from './errors.ts'
import { createGate } from './gate.ts'
import { createMetrics } from './metrics.ts'
import { createMirrorTopics } from './mirror-topics.ts'
import { createOutboxEntries } from './outbox-entries.ts'
import { createPartitionCounts } from './partition-counts.ts'
import { createPatience } from './patience.ts'
import { createRelay } from './relay.ts'
import { buildServer } from './server.ts'
import { createEventSender, createRunnerReader } from './telemetry.ts'
import { createTurn } from './turn.ts'
import { createOperatorWatch } from './watch-operators.ts'
import { startWatchdog } from './watchdog.ts'
import { createWriterPool } from './writer-pool.ts'

// Twice the cores of a small machine: more connections only wait for one another (docs/benchmarks.md).
const CONNECTIONS = 4
// Few: what an operator sends back must not slow down what arrives.
const REDRIVE_CONNECTIONS = 2
/** Of the 10 s that a stop may take; the rest is for leaving the groups. */
const FINISH_MS = 5_000
const STOP_MS = 10_000
/** So much longer than the longest attempt the event loop may stand still. */
const STILL_MS = 5_000

// Gives up what runs; `isStopping` is true before, while what is in hand is finished.
const shutdown = new AbortController()
let isStopping = false

try {
  armFailpoints(process.env.SMG_FAILPOINTS)
  await start(readRunnerConfig(process.env))
} catch (error) {
  if (!isStopping) fail(error)
}

function fail(error: unknown) {
  // One line that says what to mend; 2 tells a supervisor that another try cannot help.
  const isSetup = /^SMG_(SDK|RUNNER_OTHER_GROUP|RUNNER_PORT_TAKEN|KAFKA_BAD_SETTING|KAFKA_TOPICS_MISSING)/.test(
    String((error as { code?: unknown }).code)
  )
  pino({ name: 'runner' }).fatal(isSetup ? {} : { err: error }, (error as Error).message)
  process.exit(isSetup ? 2 : 1)
}

async function start(config: RunnerConfig): Promise<void> {
  const source = `runner@${hostname()}:${config.RUNNER_PORT}`
  const errors = createErrorEvents({ service: 'runner', source })
  const log = pino({ name: 'runner', level: config.logLevel }, tapErrors(pino.destination(), errors.add))
  const functions = await loadFunctions(config.functionsFolder, config)
  const attached = pickFunctions(functions, config.only)
  const client = createKafkaClient(config, { clientId: 'smg-runner', log })
  const cluster = createClusterView(client, { log })
  const producer = createProducer(client, config, { log })
  const database = createDatabase(config.DATABASE_URL, { max: 2, applicationName: 'smg-runner' })
  const writers = {
    size: CONNECTIONS,
    applicationName: 'smg-runner-write',
    onFrozenEnded: (pids: readonly number[]) =>
      log.warn(
        { pids },
        'a process froze in a COPY, with locks that are needed here: its connection to PostgreSQL was ended'
      )
  }
  const rowPool = createWriterPool(config.DATABASE_URL, writers)
  const transactionPool = createWriterPool(config.DATABASE_URL, writers)
  const redrivePool = createWriterPool(config.DATABASE_URL, {
    ...writers,
    size: REDRIVE_CONNECTIONS,
    applicationName: 'smg-runner-redrive'
  })
  const operators = createOperatorQueries(database.sql)
  const metrics = createMetrics()
  const outbox = createOutboxQueries(database.sql)
  const relay = createRelay({ outbox, producer, log, onBacklog: metrics.setBacklog })
  const mirrorTopics = createMirrorTopics({
    client,
    producer,
    functions: attached,
    toGroupId: topic => toGroupId(topic, config),
    create: config.TOPIC_CREATE,
    replicationFactor: config.replicationFactor,
    log
  })
  const partitionCounts = createPartitionCounts(functions, producer, log)

  const gate = createGate(config.RUNNER_CONCURRENCY)
  const turn = createTurn()
  const toOutboxEntries = createOutboxEntries(partitionCounts.of, relay.wake)
  const shared = {
    config,
    client,
    cluster,
    database,
    rowPool,
    transactionPool,
    redrivePool,
    operators,
    gate,
    turn,
    metrics,
    functions,
    toOutboxEntries,
    onHopeless: fail,
    log
  }
  const parts = attached.map(definition => createAttachment(definition, { ...shared, shutdown: shutdown.signal }))
  const attachments = parts.map(({ attachment }) => attachment)
  const watch = createOperatorWatch(parts, { operators, log })
  const telemetry = createTelemetry({
    ...{ functions, source, errors, intervalMs: config.TELEMETRY_INTERVAL_MS },
    readOwn: createRunnerReader({ attachments, registry: metrics.registry }),
    send: createEventSender(producer, Date.now),
    isHealthy: producer.isHealthy
  })
  const server = buildServer({ attachments, metrics, isStopping: () => isStopping })

  closeWithGrace({ delay: STOP_MS, logger: log }, async ({ signal, err }) => {
    if (err) {
      // As if it were killed: what is noted of the records in hand must stay, or the one that did this is never found.
      log.fatal({ err }, 'the runner ends: something threw that nobody handles')
      process.exit(1)
    }
    isStopping = true
    log.info({ signal }, 'the runner is stopping')
    telemetry.stop()
    const deadline = performance.now() + FINISH_MS
    await Promise.all([watch.stop(), ...attachments.map(attachment => attachment.stop(deadline))])
    shutdown.abort(new runnerErrors.SMG_RUNNER_STOPPING())
    await Promise.all(parts.map(({ redriver }) => redriver.stop()))
    mirrorTopics.stop()
    await relay.stop()
    partitionCounts.stop()
    await Promise.all([
      server.close(),
      producer.close(),
      cluster.close(),
      rowPool.close(),
      transactionPool.close(),
      redrivePool.close(),
      database.close({ timeoutMs: 1_000 })
    ])
    log.info('the runner has stopped')
  })

  startWatchdog({ limitMs: Math.max(0, ...attached.map(({ options }) => options.timeoutMs)) + STILL_MS })
  await server.listen({ host: config.HOST, port: config.RUNNER_PORT }).catch((error: NodeJS.ErrnoException) => {
    throw new runnerErrors.SMG_RUNNER_PORT_TAKEN(config.HOST, config.RUNNER_PORT, error.code)
  })
  await prepare(config, attached, { client, database, log })
  if (isStopping) return
  relay.start()
  mirrorTopics.start()
  partitionCounts.start()
  for (const { attachment, redriver } of parts) {
    attachment.start()
    redriver.start()
  }
  watch.start()
  telemetry.start()
  log.info({ functions: attached.map(({ topic }) => topic) }, 'the runner has started')
}

/** Waits for Kafka and PostgreSQL, makes the topics, and refuses a database that serves other groups. */
async function prepare(
  config: RunnerConfig,
  functions: readonly LoadedFunction[],
  {
    client,
    database,
    log
  }: { client: ReturnType<typeof createKafkaClient>; database: ReturnType<typeof createDatabase>; log: Logger }
): Promise<void> {
  const specs = functions.map(({ topic, options }) => ({
    topic,
    partitions: options.partitions,
    retentionMs: Math.round(options.retentionHours * 3_600_000)
  }))
  const topicOptions = { create: config.TOPIC_CREATE, replicationFactor: config.replicationFactor }
  for (const drift of await untilItAnswers(() => ensureTopics(client, specs, topicOptions), 'Kafka', log)) {
    log.warn(drift, 'the topic differs from its function: it is left as it is')
  }
  const positions = createPositionQueries(database.sql)
  for (const { topic } of functions) {
    const groups = await untilItAnswers(() => positions.groupsOf(topic), 'PostgreSQL', log)
    const groupId = toGroupId(topic, config)
    const other = groups.find(group => group !== groupId)
    if (other !== undefined) throw new runnerErrors.SMG_RUNNER_OTHER_GROUP(other, topic, groupId)
  }
}

async function untilItAnswers<T>(ask: () => Promise<T>, who: string, log: Logger): Promise<T> {
  const patience = createPatience()
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (
        /^SMG_KAFKA_(TOPICS_MISSING|BAD_SETTING)/.test(String((error as { code?: unknown }).code)) ||
        shutdown.signal.aborted
      )
        throw error
      if (patience.failingMs() === 0) log.warn({ err: error }, `${who} is not ready: waiting`)
      await patience.wait(shutdown.signal)
    }
  }
}
