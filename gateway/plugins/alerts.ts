import { randomUUID } from 'node:crypto'
import fp from 'fastify-plugin'
import type { AlertTurns } from '../../db/queries/alert-turns.ts'
import { type Alerts, createAlerts } from '../alerts/alerts.ts'
import { createDeliveries, type Sink } from '../alerts/deliveries.ts'
import { createInputReader } from '../alerts/read-inputs.ts'
import type { RecentCounts } from '../alerts/recent-counts.ts'
import { alertRules } from '../alerts/rules.ts'
import { createLogSink, createTopicSink } from '../alerts/sinks.ts'
import { createWebhook, type WebhookSettings } from '../alerts/webhook.ts'
import type { Producing } from '../produce.ts'

declare module 'fastify' {
  interface FastifyInstance {
    alerts: Pick<Alerts, 'read' | 'states' | 'turn'>
  }
}

/** How alerts are evaluated, and where notices go besides the log and the topic `notifications`. */
export interface AlertSettings {
  readonly intervalMs: number
  readonly webhook: WebhookSettings | null
}

interface AlertsOptions {
  readonly turns: AlertTurns
  readonly counts: RecentCounts
  readonly producing: Pick<Producing, 'plan' | 'send'>
  /** Epoch in milliseconds. */
  readonly now: () => number
  readonly steadyMs: () => number
}

/** Evaluates the alert rules while the app listens, and counts the answers that they look at. */
export default fp<AlertsOptions>(
  async (app, { turns, counts, producing, now, steadyMs }) => {
    const { intervalMs, webhook } = app.settings.alerts
    const sinks = new Map<string, Sink>([['log', createLogSink(app.log)]])
    if (webhook) sinks.set('webhook', createWebhook(webhook, { rules: alertRules, now }))
    const notifications = app.functions.get('notifications')
    if (notifications) sinks.set('notifications', createTopicSink(notifications, producing))

    const alerts = createAlerts({
      rules: alertRules,
      readInputs: createInputReader({
        functions: app.functions,
        groupPrefix: app.settings.groupPrefix,
        sampler: app.sampler,
        cluster: app.cluster,
        steadyMs
      }),
      turns,
      readStored: app.queries.alerts.states,
      deliveries: createDeliveries({ sinks, log: app.log, now }),
      settle: app.writes.alerts.settle,
      sinks: [...sinks.keys()],
      counts,
      log: app.log,
      now,
      steadyMs,
      intervalMs,
      instance: randomUUID()
    })
    app.decorate('alerts', alerts)
    app.addHook('onResponse', (request, reply, done) => {
      // Probes ask more often than anybody else, and a 503 is their answer.
      if (request.route.url?.startsWith('/api/')) counts.countAnswer(reply.statusCode)
      done()
    })
    app.addHook('onListen', async () => alerts.start())
    // Whoever waits for an outcome is answered without waiting for PostgreSQL first.
    let left: Promise<void> | undefined
    app.addHook('preClose', async () => {
      left = alerts.stop()
    })
    app.addHook('onClose', async () => left)
  },
  { name: 'alerts', decorators: { request: ['route'] } }
)
