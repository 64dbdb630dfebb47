import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import type { Test } from 'tap'
import type { AlertTurns } from '../../../db/queries/alert-turns.ts'
import type { GatewayQueries, GatewayWrites } from '../../../db/queries/gateway.ts'
import { buildApp as buildGateway } from '../../../gateway/app.ts'
import type { AppSettings } from '../../../gateway/config.ts'
import type { GatewayDependencies } from '../../../gateway/types.ts'
import type { OutgoingRecord, Producer, TopicView } from '../../../kafka/types.ts'
import { loadFunctions } from '../../../sdk/load-functions.ts'

/** 2026-01-31T12:00:00.000Z, the time of every test that does not choose another. */
export const NOW_MS = Date.UTC(2026, 0, 31, 12)

export const functions = await loadFunctions(fileURLToPath(new URL('../../../functions', import.meta.url)), {
  retentionHours: 1
})

export const settings: AppSettings = {
  security: null,
  pagesPublic: true,
  groupPrefix: 'smg.',
  produceTimeoutMs: 500,
  batchBodyBytes: 4_194_304,
  ndjsonBodyBytes: 8_388_608,
  databaseCapacityBytes: null,
  deadLetterRetentionMs: null,
  databaseIsLocal: false,
  alerts: { intervalMs: 10_000, webhook: null },
  timeouts: { headersMs: 500, requestMs: 1_000, checkMs: 100, idleMs: 5_000, keepAliveMs: 5_000 }
}

/** A producer that keeps what it is given, three partitions a topic. */
export function fakeProducer(overrides: Partial<Producer> = {}) {
  const appended: { topic: string; record: OutgoingRecord }[] = []
  const producer: Producer = {
    async append(topic, records) {
      return records.map(record => {
        appended.push({ topic, record })
        return { partition: record.partition, offset: String(appended.length - 1) }
      })
    },
    partitionCount: async () => 3,
    queuedBytes: () => 0,
    sendsInFlight: () => 0,
    onSend: () => undefined,
    isHealthy: () => true,
    close: async () => undefined,
    ...overrides
  }
  return { ...producer, appended }
}

const partition = { leader: 1, replicas: [1], inSyncReplicas: [1] }

/** A cluster of one broker: three partitions a topic, whose log has 10 records from offset 0. */
export function fakeCluster(overrides: Partial<GatewayDependencies['cluster']> = {}): GatewayDependencies['cluster'] {
  const view: TopicView = {
    topicId: null,
    partitions: [0, 1, 2].map(id => ({ ...partition, partition: id, logStartOffset: 0n, logEndOffset: 10n }))
  }
  return {
    topics: async topics => new Map(topics.map(topic => [topic, view])),
    offsets: async () => new Map([0, 1, 2].map(id => [id, { logStartOffset: 0n, logEndOffset: 10n }])),
    offsetsAt: async () => new Map(),
    topicIds: async () => new Map(),
    committed: async () => new Map([[0, 10n]]),
    groups: async ids => new Map(ids.map(id => [id, { state: 'Stable', members: [] }])),
    oldest: async places => places.map(({ offset }) => ({ offset, timestampMs: NOW_MS - 5_000 })),
    logDirs: async () => ({ totalBytes: 1000n, usableBytes: 750n, topicBytes: new Map() }),
    brokers: async () => [1],
    ...overrides
  }
}

type Overrides = { readonly [R in keyof GatewayQueries]?: Partial<GatewayQueries[R]> }

const nothing = async () => ({ items: '[]', next: null })

/** Queries of an empty database. */
export function fakeQueries(overrides: Overrides = {}): GatewayQueries {
  return {
    audit: { list: nothing, ...overrides.audit },
    messages: { list: nothing, findById: async () => undefined, ...overrides.messages },
    messageTail: {
      since: async () => ({ rows: [], counts: [], cut: [] }),
      after: async () => ({ rows: [], total: 0 }),
      ...overrides.messageTail
    },
    positions: { countSettled: async () => new Map(), ...overrides.positions },
    rows: {
      userActivities: nothing,
      systemMetrics: nothing,
      errorLogs: nothing,
      notifications: nothing,
      ...overrides.rows
    },
    deadLetters: {
      list: async () => ({ items: [], next: null }),
      findById: async () => undefined,
      groups: async () => ({ items: [], isComplete: true }),
      ...overrides.deadLetters
    },
    redrivable: {
      count: async () => ({ matched: 0, reasons: [] }),
      list: async () => [],
      countHeldBack: async () => 0,
      countLaterSettled: async () => 0,
      ...overrides.redrivable
    },
    outcomes: { find: async () => new Map(), ...overrides.outcomes },
    topicStatus: { all: async () => [], ...overrides.topicStatus },
    functionStates: { all: async () => [], lastErrors: async () => [], ...overrides.functionStates },
    stats: {
      database: async () => ({ connectionCount: 3, usedConnectionCount: 1, sizeBytes: 1024 }),
      outbox: async () => ({ waiting: 0, oldestSeconds: 0, refused: 0 }),
      deadLetters: async () => new Map(),
      dataDirectory: async () => null,
      probe: async () => undefined,
      ...overrides.stats
    },
    alerts: {
      states: async () => ({ states: [], evaluatedAtMs: null }),
      history: nothing,
      ...overrides.alerts
    }
  }
}

type WriteOverrides = { readonly [R in keyof GatewayWrites]?: Partial<GatewayWrites[R]> }

/** Writes into a database that is empty and stays so. */
export function fakeWrites(overrides: WriteOverrides = {}): GatewayWrites {
  return {
    idempotency: {
      claim: async (_request, plan) => ({ kind: 'claimed', plan, before: null, isNew: true, token: '' }),
      find: async () => undefined,
      finish: async (_request, answer) => ({ kind: 'answered', ...answer }),
      release: async () => undefined,
      forget: async () => undefined,
      expire: async () => 0,
      ...overrides.idempotency
    },
    deadLetters: {
      redrive: async () => undefined,
      redriveSome: async () => ({ redriven: 0, skipped: 0 }),
      discard: async () => undefined,
      expire: async () => 0,
      ...overrides.deadLetters
    },
    functionStates: { pause: async () => undefined, resume: async () => undefined, ...overrides.functionStates },
    alerts: { settle: async () => undefined, expire: async () => 0, ...overrides.alerts },
    positions: { move: async () => ({ kind: 'moved', before: new Map() }), ...overrides.positions }
  }
}

/** Turns of a gateway that never leads. */
export const fakeAlertTurns: AlertTurns = {
  take: async () => ({ leads: false, nowMs: NOW_MS, states: [], pending: [] }),
  leave: async () => undefined
}

/** The app on fakes, closed after the test. */
export async function buildApp(t: Test, overrides: Partial<GatewayDependencies> = {}) {
  const app = await buildGateway({
    functions,
    settings,
    producer: fakeProducer(),
    cluster: fakeCluster(),
    queries: fakeQueries(),
    writes: fakeWrites(),
    alertTurns: fakeAlertTurns,
    log: pino({ enabled: false }),
    now: () => NOW_MS,
    ...overrides
  })
  t.teardown(() => app.close())
  return app
}
