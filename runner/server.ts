import Fastify from 'fastify'
import type { Attachment, AttachmentState } from './attach-function.ts'
import type { RunnerMetrics } from './metrics.ts'

/** Why records wait, by the state of their function. */
const REASONS: readonly (readonly [AttachmentState, reason: string])[] = [
  ['starting', 'starting'],
  ['waiting', 'away'],
  ['paused', 'paused'],
  ['stopped', 'stopped']
]

export interface ServerDependencies {
  readonly attachments: readonly Attachment[]
  readonly metrics: RunnerMetrics
  readonly isStopping: () => boolean
}

/** Builds the runner's own small server: health for probes, metrics for Prometheus. It holds no data of events. */
export function buildServer({ attachments, metrics, isStopping }: ServerDependencies) {
  const app = Fastify({ requestTimeout: 10_000, connectionTimeout: 15_000, keepAliveTimeout: 75_000 })

  app.get('/health/live', async () => ({ status: 'ok' }))

  app.get('/health/ready', async (_request, reply) => {
    const isReady = !isStopping() && attachments.every(attachment => attachment.state().state !== 'starting')
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'down' })
  })

  app.get('/health', async (_request, reply) => {
    const functions = attachments.map(attachment => ({ topic: attachment.topic, state: attachment.state().state }))
    const isWorking = functions.every(({ state }) => state === 'running')
    const status = isStopping() ? 'down' : isWorking ? 'ok' : 'degraded'
    return reply.code(status === 'down' ? 503 : 200).send({ status, functions })
  })

  app.get('/metrics', async (_request, reply) => {
    metrics.lag.reset()
    for (const { topic, lag, state } of attachments) {
      for (const [partition, records] of lag()) metrics.lag.set({ topic, partition: String(partition) }, records)
      const now = state().state
      for (const [waiting, reason] of REASONS) metrics.waiting.set({ topic, reason }, Number(now === waiting))
    }
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
  return app
}
