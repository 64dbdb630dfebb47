import type { Exchange } from './client.ts'
import type { Reading } from './meters.ts'
import type { Crossing } from './thresholds.ts'

/** Makes the `system-metrics` event of a reading. */
export function toMetric({ name, value, unit, labels }: Reading, source: string, nowMs: number) {
  return { source, name, value, unit, labels, timestamp: toTime(nowMs) }
}

/** Makes the `user-activities` event of a request of the demo. */
export function toActivity({ request, status, ms, startedMs }: Exchange, session: string) {
  const { method, route } = request
  const metadata = { method, route, status, ms: toTenths(ms) }
  return { userId: session, action: `${method} ${route}`, timestamp: toTime(startedMs), metadata }
}

/** Makes the `error-logs` event of a request that failed. */
export function toErrorLog({ request, status, body, reason, ms, startedMs }: Exchange) {
  const { method, route } = request
  const { code = null, detail = null } = (body ?? {}) as { code?: unknown; detail?: unknown }
  const outcome = status === null ? `got no answer: ${reason}` : `was answered ${status}${detail ? `: ${detail}` : ''}`
  return {
    service: 'smg-kafka-demo',
    level: status === null || status >= 500 ? 'error' : 'warn',
    message: `${method} ${route} ${outcome}`.slice(0, 8_192),
    context: { method, route, status, code, ms: toTenths(ms) },
    timestamp: toTime(startedMs)
  }
}

/** Makes the `notifications` event of a reading above its limit. */
export function toNotification({ reading, above }: Crossing, source: string, nowMs: number) {
  const { name, value, unit, labels } = reading
  const place = Object.values(labels).join(' ')
  return {
    recipient: 'operators',
    channel: 'push',
    title: `${name} above ${show(above, unit)} on ${source}`.slice(0, 256),
    message: `${[name, place].filter(Boolean).join(' ')} is ${show(value, unit)}`.slice(0, 8_192),
    metadata: { source, name, value, unit, above, labels },
    timestamp: toTime(nowMs)
  }
}

function show(value: number, unit: Reading['unit']): string {
  return unit === 'ratio' ? `${toTenths(value * 100)} %` : `${toTenths(value)} ${unit}`
}

function toTenths(number: number): number {
  return Math.round(number * 10) / 10
}

function toTime(ms: number): string {
  return new Date(ms).toISOString()
}
