import { createOperatorQueries } from '../../../db/queries/operators.ts'
import { createPositionQueries } from '../../../db/queries/positions.ts'
import type { TransactionLimits } from '../../../db/write-transaction.ts'
import type { Consumer, ConsumerEvents, FetchedBatch } from '../../../kafka/types.ts'
import { type AttachDependencies, attachFunction } from '../../../runner/attach-function.ts'
import { createBrake } from '../../../runner/brake.ts'
import { createFloodBreaker } from '../../../runner/flood.ts'
import { createGate } from '../../../runner/gate.ts'
import { createPositionLocator } from '../../../runner/locate-positions.ts'
import { createMetrics } from '../../../runner/metrics.ts'
import { createKeyHints } from '../../../runner/parking.ts'
import { toAttemptLimits } from '../../../runner/row-cycles.ts'
import { createRowEffects } from '../../../runner/row-effects.ts'
import { createStandstill } from '../../../runner/standstill.ts'
import { createTransactionEffects } from '../../../runner/transaction-effects.ts'
import { createWriterPool } from '../../../runner/writer-pool.ts'
import { createRecordSettler } from '../../../sdk/settle-record.ts'
import type { LoadedFunction } from '../../../sdk/types.ts'
import type { Teardown, TestDatabase } from '../../_support/database.ts'
import { silent } from '../../_support/kafka.ts'
import { noPublish, PLACE } from './records.ts'

export const TOPIC_ID = '0b6ff7b0-0000-4000-8000-000000000001'
const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 30_000, idleTimeoutMs: 5_000 }

/** Where the made-up log of a partition begins and ends. */
export type Bounds = Record<number, { logStartOffset: bigint; logEndOffset: bigint }>

interface AttachmentOptions {
  readonly database: TestDatabase
  readonly bounds: Bounds
  readonly limits?: TransactionLimits
  readonly createTrial?: AttachDependencies['createTrial']
  readonly log?: AttachDependencies['log']
}

/** A function attached to a made-up Kafka, on a database that is emptied for it. Not started. */
export async function createTestAttachment(
  t: Teardown,
  definition: LoadedFunction,
  { database, bounds, limits = LIMITS, createTrial, log = silent }: AttachmentOptions
) {
  const { databaseUrl, sql } = database
  await sql`TRUNCATE messages, dead_letters, topic_status, outbox, blocked_keys, function_states`
  const pool = createWriterPool(databaseUrl, { size: 2, applicationName: 'test-writer' })
  const shutdown = new AbortController()
  const kafka = createFakeKafka(bounds)
  const settle = { log, shutdown: shutdown.signal, toPublished: noPublish }
  const { ordering } = definition.options
  const write = { ...PLACE, ordering, rowWriter: null, toOutboxEntries: () => [], nowMs: Date.now }
  const gate = createGate(64)
  const metrics = createMetrics()
  const brake = createBrake('free')
  const hints = createKeyHints(ordering)
  const operators = createOperatorQueries(sql)
  const { groupId, topic } = PLACE
  const flood = createFloodBreaker({
    groupId,
    topic,
    brake,
    writeStop: stop => operators.stop({ groupId, topic }, { ...stop, fileHash: definition.fileHash }),
    writeGo: () => operators.go(groupId),
    log
  })
  const told: string[] = []
  const stood = new Map<number, number>()
  const positions = createPositionQueries(sql)
  const attemptLimits = toAttemptLimits(limits, definition.options.timeoutMs)
  const shared = { pool, limits, write, flood, brake, metrics, log }

  const attachment = attachFunction({
    definition,
    groupId: PLACE.groupId,
    createConsumer: kafka.createConsumer,
    locator: createPositionLocator({
      ...PLACE,
      positions,
      cluster: kafka.cluster,
      log
    }),
    createEffects: (owned, hooks) =>
      definition.kind === 'transaction'
        ? createTransactionEffects(owned, hooks, { ...shared, limits: attemptLimits, definition, settle, gate })
        : createRowEffects(owned, hooks, {
            ...shared,
            settleAhead: {
              definition,
              settle: createRecordSettler(definition, settle),
              rowWriter: null,
              hints,
              brake,
              gate,
              shutdown: shutdown.signal,
              log
            }
          }),
    onState: state => void told.push(state),
    beforeOwned: createStandstill({
      ...PLACE,
      positions,
      stood: (partition, sinceMs) => void stood.set(partition, sinceMs)
    }),
    ...(createTrial && { createTrial }),
    log
  })
  t.teardown(async () => {
    await attachment.stop(performance.now() + 1_000)
    shutdown.abort()
    await pool.close()
  })

  return {
    attachment,
    brake,
    kafka,
    metrics,
    shutdown,
    sql,
    /** Since when partitions stood still before they were owned, epoch in ms by partition. */
    stood,
    /** Every state that was to be written down, in order. */
    told,
    /** Offsets of the partition's messages, in order. */
    async stored(partition = 0): Promise<number[]> {
      const rows = await sql`SELECT "offset"::int AS at FROM messages WHERE partition = ${partition} ORDER BY "offset"`
      return rows.map(({ at }) => at)
    },
    async position(partition = 0): Promise<{ next: number; lost: number; duplicates: number } | null> {
      const [row] =
        await sql`SELECT next_offset::int AS next, lost_count::int AS lost, duplicate_count::int AS duplicates
        FROM topic_status WHERE partition = ${partition}`
      return row ? { next: row.next, lost: row.lost, duplicates: row.duplicates } : null
    },
    async setPosition(next: number, partition = 0) {
      await sql`INSERT INTO topic_status (group_id, topic, partition, next_offset, topic_id)
        VALUES (${PLACE.groupId}, ${PLACE.topic}, ${partition}, ${next}, ${TOPIC_ID})
        ON CONFLICT (group_id, topic, partition) DO UPDATE SET next_offset = excluded.next_offset`
    }
  }
}

/** A Kafka whose every move is the test's. */
function createFakeKafka(bounds: Bounds) {
  const consumers: { events: ConsumerEvents; isStopped: boolean }[] = []
  const calls: string[] = []
  const fake = {
    bounds: new Map(Object.entries(bounds).map(([partition, log]) => [Number(partition), log])),
    topicId: TOPIC_ID as string | null,
    /** What has to happen before the cluster tells its offsets. */
    beforeOffsets: async () => undefined as unknown,
    onCommit: async (_positions: ReadonlyMap<number, bigint>) => undefined as unknown,
    /** Every `start`, `pause` and `resume`, in order. */
    calls,
    consumers,
    createConsumer(events: ConsumerEvents): Consumer {
      const self = { events, isStopped: false }
      consumers.push(self)
      return {
        run: async () => undefined,
        start: (partition, offset) => void calls.push(`start ${partition} ${offset}`),
        pause: partition => void calls.push(`pause ${partition}`),
        resume: partition => void calls.push(`resume ${partition}`),
        async commit(positions) {
          await fake.onCommit(positions)
          return true
        },
        async stop() {
          self.isStopped = true
        }
      }
    },
    cluster: {
      topicIds: async (topics: readonly string[]) => new Map(topics.map(topic => [topic, fake.topicId])),
      async offsets() {
        await fake.beforeOffsets()
        return fake.bounds
      }
    },
    assign(...partitions: number[]) {
      consumers.at(-1)?.events.onAssigned(partitions)
    },
    async deliver(batch: FetchedBatch) {
      await consumers.at(-1)?.events.onBatch(batch)
    },
    crash() {
      consumers.at(-1)?.events.onCrash(new Error('crash'))
    }
  }
  return fake
}
