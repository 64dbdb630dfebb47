import type { LoadedFunction } from '../types.ts'
import type { ErrorEvents } from './error-events.ts'
import { createProcessMeter, type Reading } from './process-meter.ts'
import { ERRORS_TOPIC, METRICS_TOPIC } from './topics.ts'

/** Sends events of a function as any others; what is not sent when `signal` aborts is withdrawn. It may reject. */
export type SendEvents = (
  definition: LoadedFunction,
  events: readonly object[],
  signal: AbortSignal
) => Promise<unknown>

interface TelemetryDependencies {
  /** By topic. Without `system-metrics` no metrics are sent, without `error-logs` no errors. */
  readonly functions: ReadonlyMap<string, LoadedFunction>
  /** The process among others of its kind: `gateway@web-1:3000`. */
  readonly source: string
  /** Of the part itself. */
  readonly readOwn: () => readonly Reading[] | Promise<readonly Reading[]>
  readonly errors: ErrorEvents
  readonly send: SendEvents
  /** False while nothing can be sent: metrics are not taken then, and errors wait. */
  readonly isHealthy: () => boolean
  /** 0: never. */
  readonly intervalMs: number
}

/** What was not sent by then is not wanted any more: the next report is newer. */
const SEND_TIMEOUT_MS = 5_000

/**
 * Builds the sending of a process's own numbers and errors as events, every `intervalMs`. One report at a time; what
 * cannot be sent is dropped, and nothing waits for it.
 */
export function createTelemetry(dependencies: TelemetryDependencies) {
  const { functions, source, readOwn, errors, send, isHealthy, intervalMs } = dependencies
  let meter: ReturnType<typeof createProcessMeter> | null = null
  let timer: NodeJS.Timeout | undefined
  /** Of the report that is under way. */
  let sending: AbortController | null = null

  return {
    /** Reports once. Rejects never; does nothing while another report is under way. */
    report,

    start(): void {
      if (intervalMs === 0) return
      meter ??= createProcessMeter()
      timer = setInterval(() => void report(), intervalMs)
      timer.unref()
    },

    stop(): void {
      clearInterval(timer)
      sending?.abort()
      meter?.close()
      meter = null
    }
  }

  async function report(): Promise<void> {
    if (sending || !isHealthy()) return
    const controller = new AbortController()
    const { signal } = controller
    const late = setTimeout(() => controller.abort(), SEND_TIMEOUT_MS).unref()
    sending = controller
    try {
      const readings = [
        ...((await meter?.read()) ?? []),
        { name: 'log.errors', value: errors.count(), unit: 'lines' },
        ...(await readOwn())
      ]
      const metrics = readings.map(reading => ({ source, ...reading }))
      await Promise.allSettled([sendTo(METRICS_TOPIC, metrics, signal), sendTo(ERRORS_TOPIC, errors.take(), signal)])
    } catch {
      // Dropped: a line in the log would be the next report's error.
    } finally {
      clearTimeout(late)
      sending = null
    }
  }

  async function sendTo(topic: string, events: readonly object[], signal: AbortSignal): Promise<void> {
    const definition = functions.get(topic)
    // A function of that name may have another schema than the one that ships.
    const valid = events.filter(event => definition?.findFaults(event) === null)
    if (definition && valid.length > 0) await send(definition, valid, signal)
  }
}
