import type { Logger } from 'pino'
import type { Database } from '../db/client.ts'
import { writeFunctionState } from '../db/queries/function-states.ts'
import type { createOperatorQueries } from '../db/queries/operators.ts'
import { createPositionQueries } from '../db/queries/positions.ts'
import { createRowWriter } from '../db/queries/row-writer.ts'
import type { KafkaClient } from '../kafka/client.ts'
import { createConsumer } from '../kafka/consumer.ts'
import type { ClusterView } from '../kafka/types.ts'
import { failpoint, hasFailpoints } from '../sdk/failpoints.ts'
import { createRecordSettler } from '../sdk/settle-record.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import { type AttachDependencies, type Attachment, attachFunction } from './attach-function.ts'
import { createBrake } from './brake.ts'
import type { RunnerConfig } from './config.ts'
import { createFloodBreaker } from './flood.ts'
import type { Gate } from './gate.ts'
import { createPositionLocator } from './locate-positions.ts'
import type { RunnerMetrics } from './metrics.ts'
import { createMirror, toMirrorTopic } from './mirror.ts'
import { createPublisher, type ToOutboxEntries } from './outbox-entries.ts'
import { createKeyHints } from './parking.ts'
import { createRedriver } from './redrive.ts'
import { createRedriveTrials, NO_REDRIVE_TRIALS } from './redrive-trials.ts'
import { toAttemptLimits, toLimits } from './row-cycles.ts'
import { createRowEffects } from './row-effects.ts'
import { createStandstill } from './standstill.ts'
import { timeHandle } from './time-handle.ts'
import { createTransactionEffects } from './transaction-effects.ts'
import { createTrials } from './trial.ts'
import type { Turn } from './turn.ts'
import type { Watched } from './watch-operators.ts'
import { createWorldClock } from './world-clock.ts'
import type { WriterPool } from './writer-pool.ts'

/** What all functions of a runner share. */
export interface RunnerParts {
  readonly config: RunnerConfig
  readonly client: KafkaClient
  readonly cluster: ClusterView
  readonly database: Database
  readonly rowPool: WriterPool
  readonly transactionPool: WriterPool
  readonly redrivePool: WriterPool
  readonly operators: ReturnType<typeof createOperatorQueries>
  readonly gate: Gate
  readonly turn: Turn
  readonly metrics: RunnerMetrics
  /** All of them, also those that another runner handles: any may be published to. */
  readonly functions: ReadonlyMap<string, LoadedFunction>
  readonly toOutboxEntries: ToOutboxEntries
  readonly shutdown: AbortSignal
  /** New consumers of a function fetch nothing: the process had better end. */
  readonly onHopeless: (reason: Error) => void
  readonly log: Logger
}

/** A function with all that works for it. */
export interface AttachedFunction extends Watched {
  readonly attachment: Attachment
}

/** Puts the parts of one function together. */
export function createAttachment(loaded: LoadedFunction, parts: RunnerParts): AttachedFunction {
  const { config, client, cluster, database, operators, gate, turn, metrics, functions, shutdown } = parts
  const { topic } = loaded
  const groupId = toGroupId(topic, config)
  const labels = { messaging_destination_name: topic, messaging_consumer_group_name: groupId }
  const timed = timeHandle(loaded, metrics.openProcessSeconds(labels))
  const definition = hasFailpoints() ? withFailpoint(timed) : timed
  const log = parts.log.child({ topic, group: groupId })
  const rowWriter = definition.table ? createRowWriter(definition.table) : null
  const limits = toLimits(config.CONSUMER_SESSION_TIMEOUT_MS)
  const attemptLimits = toAttemptLimits(limits, definition.options.timeoutMs)
  const { ordering } = definition.options
  const mirrorTopic = toMirrorTopic({ groupId, topic }, client.toKafkaTopic)
  const toMirrorEntry = createMirror({ groupId, topic, kafkaTopic: client.toKafkaTopic(topic), mirrorTopic })
  const { toOutboxEntries } = parts
  const write = { groupId, topic, ordering, rowWriter, toOutboxEntries, toMirrorEntry, nowMs: Date.now }
  const brake = createBrake()
  const hints = createKeyHints(ordering)
  const flood = createFloodBreaker({
    groupId,
    topic,
    brake,
    writeStop: stop => operators.stop({ groupId, topic }, { ...stop, fileHash: definition.fileHash }),
    writeGo: () => operators.go(groupId),
    log
  })
  const clock = createWorldClock()
  // Until Kafka and PostgreSQL answered for the first time.
  clock.setWaiting(true)
  const settle = {
    log,
    shutdown,
    ageMs: clock.ageMs,
    toPublished: createPublisher(functions),
    onLateCall: () => metrics.lateCalls.inc({ topic })
  }

  const createEffects: AttachDependencies['createEffects'] = (owned, hooks) =>
    definition.kind === 'transaction'
      ? createTransactionEffects(owned, hooks, {
          definition,
          pool: parts.transactionPool,
          limits: attemptLimits,
          write,
          settle,
          flood,
          brake,
          gate,
          metrics,
          log
        })
      : createRowEffects(owned, hooks, {
          pool: parts.rowPool,
          limits,
          write,
          flood,
          settleAhead: {
            definition,
            settle: createRecordSettler(definition, settle),
            rowWriter,
            hints,
            brake,
            gate,
            shutdown,
            log
          },
          metrics,
          log
        })

  const positions = createPositionQueries(database.sql, clock.learn)
  const { maxAttempts, maxAgeMs } = definition.options

  const redriver = createRedriver({
    definition,
    pool: parts.redrivePool,
    limits: attemptLimits,
    write,
    settle,
    trials: definition.handle ? createRedriveTrials(database.sql) : NO_REDRIVE_TRIALS,
    gate,
    turn,
    metrics,
    isPaused: () => brake.mode() === 'paused' || brake.mode() === 'unknown',
    log
  })
  const attachment = attachFunction({
    definition,
    groupId,
    createConsumer: events => createConsumer(client, config, { topic, groupId, events }),
    locator: createPositionLocator({ groupId, topic, positions, cluster, log }),
    createEffects,
    ...(maxAgeMs !== null && { beforeOwned: createStandstill({ groupId, topic, positions, stood: clock.stood }) }),
    onFetched: records => metrics.consumed.inc(labels, records),
    onWaiting: clock.setWaiting,
    ...(definition.handle && { createTrial: createTrials({ groupId, topic, positions, maxAttempts, turn, log }) }),
    onState(state, reason) {
      // For whoever asks the gateway; what is in this process counts, and goes on without it.
      writeFunctionState(database.sql, { groupId, topic, state, reason }).catch(error =>
        log.debug({ err: error }, 'the state of the function could not be written down')
      )
    },
    onHopeless: parts.onHopeless,
    log
  })
  const isWorking = () => attachment.state().state === 'running' && attachment.lag().size > 0
  const { readPositions } = attachment
  return {
    groupId,
    fileHash: definition.fileHash,
    ordering,
    brake,
    hints,
    redriver,
    isWorking,
    readPositions,
    attachment
  }
}

/** The consumer group of a function. */
export function toGroupId(topic: string, { GROUP_PREFIX }: Pick<RunnerConfig, 'GROUP_PREFIX'>): string {
  return `${GROUP_PREFIX}${topic}`
}

function withFailpoint(definition: LoadedFunction): LoadedFunction {
  const { handle } = definition
  if (!handle) return definition
  return {
    ...definition,
    handle: async (input, context) => {
      await failpoint('in-handler')
      return handle(input, context)
    }
  }
}
