import fp from 'fastify-plugin'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Producer } from '../../kafka/types.ts'
import type { MinuteRecorder } from '../minute-stats.ts'
import type { OutcomeWaiters } from '../outcome-waiters.ts'
import type { Sampler } from '../sampler.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** All metrics as Prometheus text. */
    readMetrics(): Promise<{ text: string; contentType: string }>
    /** Counts what became of an event of a topic. */
    countProduced(topic: string, result: string): void
  }
}

interface MetricsOptions {
  readonly producer: Pick<Producer, 'queuedBytes'>
  readonly sampler: Pick<Sampler, 'snapshot'>
  readonly waiters: Pick<OutcomeWaiters, 'count'>
  readonly requests: MinuteRecorder
  readonly now: () => number
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Measures every request, and shows what the sampler saw last. The registry is the app's own: two apps do not clash. */
export default fp<MetricsOptions>(
  async (app, { producer, sampler, waiters, requests, now }) => {
    const registry = new Registry()
    const registers = [registry]
    collectDefaultMetrics({ register: registry })

    const labelNames = ['method', 'route', 'status'] as const
    const duration = new Histogram({
      name: 'smg_http_request_duration_seconds',
      help: 'Time to answer',
      labelNames,
      buckets: SECONDS,
      registers
    })
    const produced = new Counter({
      name: 'smg_produced_events_total',
      help: 'Events by what became of them',
      labelNames: ['topic', 'result'],
      registers
    })
    addGauge('smg_producer_queued_bytes', 'Bytes that wait for Kafka or are in flight', gauge =>
      gauge.set(producer.queuedBytes())
    )
    addGauge('smg_waiting_requests', 'Requests that wait for the outcome of their event', gauge =>
      gauge.set(waiters.count())
    )
    addTopicGauges()

    app.decorate('readMetrics', async () => ({ text: await registry.metrics(), contentType: registry.contentType }))
    app.decorate('countProduced', (topic: string, result: string) => produced.inc({ topic, result }))
    app.addHook('onResponse', (request, reply, done) => {
      const { elapsedTime: durationMs, statusCode } = reply
      requests.record({ atMs: now(), durationMs, isError: statusCode >= 500 })
      // The route's pattern, never the path: a label may not grow with what clients think of.
      duration.observe(
        { method: request.method, route: request.routeOptions.url ?? 'none', status: statusCode },
        durationMs / 1000
      )
      done()
    })

    function addTopicGauges() {
      const topics = () => sampler.snapshot()?.topics ?? []
      addGauge(
        'smg_topic_lag',
        'Records that are not settled yet',
        gauge => {
          for (const { topic, group, partitions } of topics())
            for (const { partition, lag } of partitions) gauge.set({ topic, group, partition }, lag)
        },
        ['topic', 'group', 'partition']
      )
      addGauge(
        'smg_topic_messages',
        'Settled events',
        gauge => {
          for (const { topic, messageCount } of topics()) gauge.set({ topic }, messageCount)
        },
        ['topic']
      )
      addGauge(
        'smg_topic_dead_letters',
        'Dead letters that were ever written',
        gauge => {
          for (const { topic, deadLetterCount } of topics()) gauge.set({ topic }, deadLetterCount)
        },
        ['topic']
      )
      addGauge(
        'smg_topic_lost_records',
        'Records that retention removed before they were handled',
        gauge => {
          for (const { topic, lostCount } of topics()) gauge.set({ topic }, lostCount)
        },
        ['topic']
      )
    }

    function addGauge(name: string, help: string, read: (gauge: Gauge) => void, labelNames: string[] = []) {
      return new Gauge({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset()
          read(this)
        }
      })
    }
  },
  { name: 'metrics' }
)
