import type { FastifyBaseLogger } from 'fastify'
import type { Notice } from '../../db/queries/alert-turns.ts'
import type { LoadedFunction } from '../../sdk/types.ts'
import { gatewayErrors } from '../errors.ts'
import type { Producing } from '../produce.ts'
import type { Sink } from './deliveries.ts'

/** Writes notices into the log of the gateway: critical ones as errors. */
export function createLogSink(log: FastifyBaseLogger): Sink {
  return {
    async send({ id, name, severity, subject, event, value, summary }) {
      const line = { alert: name, severity, subject: subject ?? undefined, event, value, notice: id }
      if (event === 'cleared') log.info(line, summary)
      else if (severity === 'critical') log.error(line, summary)
      else log.warn(line, summary)
    }
  }
}

/**
 * Produces notices as events of the function `notifications`, for the recipient `operators`. The id of the notice is that
 * of the event: however many gateways send it, it is one row.
 */
export function createTopicSink(definition: LoadedFunction, producing: Pick<Producing, 'plan' | 'send'>): Sink {
  return {
    async send(notice) {
      const event = toEvent(notice)
      const faults = definition.findFaults(event)
      // The function is another one than that which ships.
      if (faults)
        throw Object.assign(new gatewayErrors.SMG_GATEWAY_INVALID(faults[0]?.message ?? ''), { isFinal: true })

      const startedMs = performance.now()
      const plan = await producing.plan(definition, [{ event, value: Buffer.from(JSON.stringify(event)) }])
      const records = plan.records.map(record => ({ ...record, id: notice.id }))
      const [outcome] = await producing.send(definition.topic, { ...plan, records }, { startedMs })
      if (outcome && 'error' in outcome) throw outcome.error
    }
  }
}

function toEvent({ id, name, severity, subject, event, value, threshold, atMs, summary }: Notice) {
  return {
    recipient: 'operators',
    channel: 'webhook',
    title: `${event === 'fired' ? 'Firing' : 'Cleared'}: ${name}`,
    message: summary,
    metadata: { id, alert: name, severity, subject, event, value, threshold },
    timestamp: new Date(atMs).toISOString()
  }
}
