import { setMaxListeners } from 'node:events'
import type { GatewayQueries, GatewayWrites } from '../db/queries/gateway.ts'
import type { ClusterView } from '../kafka/types.ts'
import { createTelemetry } from '../sdk/telemetry/telemetry.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import { createRecentCounts } from './alerts/recent-counts.ts'
import { alertRules } from './alerts/rules.ts'
import type { AppSettings } from './config.ts'
import consolePage from './console/serve.ts'
import { createServer } from './create-server.ts'
import { COSTLY_QUERIES } from './database-details.ts'
import { guardQueries, type QueryReport } from './guard-queries.ts'
import { type CheckHealth, createHealth } from './health.ts'
import { createJanitor } from './janitor.ts'
import { createKeyedRequests } from './keyed-requests.ts'
import { createMessageStreams, type MessageStreams } from './message-streams.ts'
import { addAlertGauges } from './metrics/alert-gauges.ts'
import { createGauges } from './metrics/gauges.ts'
import { createMeasures } from './metrics/measures.ts'
import { addTopicGauges } from './metrics/topic-gauges.ts'
import { addWorldGauges } from './metrics/world-gauges.ts'
import { createMinuteStats, type MinuteRecorder } from './minute-stats.ts'
import { createOutcomeWaiters, type OutcomeWaiters } from './outcome-waiters.ts'
import alerts from './plugins/alerts.ts'
import body from './plugins/body.ts'
import documents from './plugins/documents.ts'
import headers from './plugins/headers.ts'
import limits from './plugins/limits.ts'
import metrics from './plugins/metrics.ts'
import problems from './plugins/problems.ts'
import requestLog from './plugins/request-log.ts'
import security from './plugins/security.ts'
import { createProduce, type Producing } from './produce.ts'
import { createProduceOnce, type ProduceOnce } from './produce-once.ts'
import { createRecordAges } from './record-ages.ts'
import routes from './routes/index.ts'
import { createSampler, type Sampler } from './sampler.ts'
import { readGateway } from './telemetry/read-gateway.ts'
import { createEventSender } from './telemetry/send-events.ts'
import { createTopicReader, type TopicReader } from './topic-reader.ts'
import type { App, GatewayDependencies } from './types.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** By topic. */
    functions: ReadonlyMap<string, LoadedFunction>
    settings: AppSettings
    /** Each has a deadline, and rejects with SMG_GATEWAY_DATABASE_AWAY beyond it. */
    queries: GatewayQueries
    /** As `queries`; what became of one that had no answer in time is not known. */
    writes: GatewayWrites
    cluster: Omit<ClusterView, 'close'>
    produce: Producing['produce']
    offer: Producing['offer']
    produceOnce: ProduceOnce
    outcomes: Pick<OutcomeWaiters, 'wait'>
    messageStreams: Pick<MessageStreams, 'open' | 'count'>
    readTopics: TopicReader['read']
    sampler: Sampler
    checkHealth: CheckHealth
    /** Over the last minute. */
    minutes: { readonly requests: MinuteRecorder; readonly queries: MinuteRecorder }
    /** Aborted when the app closes: whoever reads on and on ends then. */
    closing: AbortSignal
    /** True from the moment that the app is asked to close. */
    isClosing(): boolean
    /** Tells the probes that no more requests are wanted. */
    startClosing(): void
  }
}

const QUERY_TIMEOUT_MS = 1_900
const MAX_PENDING_QUERIES = 1_000
const KAFKA_READ_TIMEOUT_MS = 1_900
const SAMPLE_INTERVAL_MS = 3_000
const MAX_WAITERS = 1_000
const MAX_STREAMS = 100
const STREAM_INTERVAL_MS = 500
const CLEAN_INTERVAL_MS = 60_000

/**
 * Builds the app of the gateway; nothing of it runs before `listen`, and `close` stops all that it started. What it was
 * given stays open.
 */
export async function buildApp(dependencies: GatewayDependencies): Promise<App> {
  const {
    functions,
    settings,
    producer,
    cluster,
    log,
    now = Date.now,
    steadyMs = () => performance.now()
  } = dependencies
  const minutes = { requests: createMinuteStats(steadyMs), queries: createMinuteStats(steadyMs) }
  const counts = createRecentCounts(steadyMs)
  const measures = createMeasures()
  const guard = {
    timeoutMs: QUERY_TIMEOUT_MS,
    maxPending: MAX_PENDING_QUERIES,
    latency: minutes.queries,
    onQuery(report: QueryReport) {
      const counted = COSTLY_QUERIES.has(report.name) ? { ...report, isAway: false } : report
      measures.onQuery(counted)
      if (counted.isAway) counts.countDatabaseFailure()
    },
    now: steadyMs
  }
  const queries = guardQueries(dependencies.queries, guard)
  const writes = guardQueries(dependencies.writes, guard)
  const reader = createTopicReader({
    topics: [...functions.keys()],
    groupPrefix: settings.groupPrefix,
    cluster,
    queries,
    readAges: createRecordAges({ cluster, now, steadyMs }),
    steadyMs,
    timeoutMs: KAFKA_READ_TIMEOUT_MS
  })
  const sampler = createSampler({
    reader,
    cluster,
    queries,
    minutes,
    log,
    now,
    steadyMs,
    intervalMs: SAMPLE_INTERVAL_MS
  })

  const app = createServer(dependencies)
  const outcomes = createOutcomeWaiters({ findOutcomes: queries.outcomes.find, maxWaiters: MAX_WAITERS })
  const messageStreams = createMessageStreams({
    queries,
    maxStreams: MAX_STREAMS,
    intervalMs: STREAM_INTERVAL_MS,
    steadyMs,
    log
  })
  const janitor = createJanitor({ chores: toChores(settings, writes), intervalMs: CLEAN_INTERVAL_MS, log })
  const producing = createProduce({ producer, timeoutMs: settings.produceTimeoutMs, now, onSent: measures.onSent })
  const addGauge = createGauges(measures.registry)
  addTopicGauges(addGauge, sampler)
  addWorldGauges(addGauge, { producer, waiters: outcomes, sampler })
  producer.onSend(measures.onSend)
  const closing = new AbortController()
  setMaxListeners(0, closing.signal)
  let isClosing = false

  app.decorate('functions', functions)
  app.decorate('settings', settings)
  app.decorate('queries', queries)
  app.decorate('cluster', cluster)
  app.decorate('writes', writes)
  app.decorate('produce', producing.produce)
  app.decorate('offer', producing.offer)
  app.decorate('produceOnce', createProduceOnce({ producing, runKeyed: createKeyedRequests(writes.idempotency, log) }))
  app.decorate('outcomes', outcomes)
  app.decorate('readTopics', reader.read)
  app.decorate('messageStreams', messageStreams)
  app.decorate('sampler', sampler)
  app.decorate('checkHealth', createHealth({ producer, cluster, queries }))
  app.decorate('minutes', minutes)
  app.decorate('closing', closing.signal)
  app.decorate('isClosing', () => isClosing)
  app.decorate('startClosing', () => {
    isClosing = true
  })

  // In the order of their hooks: an answer has its headers before anything can refuse it, who asks is known before it
  // is counted, and all of that before a body is read.
  await app.register(headers)
  await app.register(metrics, { measures, requests: minutes.requests, now: steadyMs })
  await app.register(security, { security: settings.security, now })
  await app.register(limits, { security: settings.security })
  await app.register(requestLog)
  await app.register(problems)
  await app.register(body)
  await app.register(alerts, { turns: dependencies.alertTurns, counts, producing, now, steadyMs })
  addAlertGauges(addGauge, { rules: alertRules, states: () => app.alerts.states() })
  const scope = settings.pagesPublic ? 'public' : 'read'
  await app.register(documents, { scope })
  await app.register(consolePage, { scope })
  await routes(app)

  const telemetry =
    dependencies.telemetry &&
    createTelemetry({
      ...dependencies.telemetry,
      functions,
      readOwn: () => readGateway({ requests: minutes.requests, sampler }),
      send: createEventSender(producing.offer),
      isHealthy: producer.isHealthy
    })
  app.addHook('onListen', async () => {
    sampler.start()
    janitor.start()
    telemetry?.start()
  })
  app.addHook('preClose', async () => {
    isClosing = true
    telemetry?.stop()
    sampler.stop()
    janitor.stop()
    closing.abort()
    messageStreams.close()
    // Whoever waits for an outcome is answered now: the event is in Kafka.
    outcomes.close()
  })
  return app
}

function toChores({ deadLetterRetentionMs: retentionMs }: AppSettings, writes: GatewayWrites) {
  const { idempotency, deadLetters, alerts } = writes
  const chores: Record<string, () => Promise<number>> = { idempotency: idempotency.expire, alerts: alerts.expire }
  if (retentionMs !== null) chores.deadLetters = () => deadLetters.expire(retentionMs)
  return chores
}
