import { type Exchange, isFailure } from './client.ts'
import type { createMeters } from './meters.ts'
import type { createPace } from './pace.ts'
import type { Sender } from './sender.ts'
import type { DemoTopic } from './tally.ts'
import type { createThresholdWatch } from './thresholds.ts'
import { toActivity, toErrorLog, toMetric, toNotification } from './to-events.ts'

export interface IntakeDependencies {
  readonly sender: Sender
  readonly meters: ReturnType<typeof createMeters>
  readonly pace: ReturnType<typeof createPace>
  readonly findCrossing: ReturnType<typeof createThresholdWatch>
  /** Of the measurements: this machine. */
  readonly source: string
  /** Of the activities: this run. */
  readonly session: string
  /** Events that wait to be sent at most; no more is measured then. */
  readonly maxWaiting: number
}

/** Builds what makes events: of what is measured, and of the demo's own requests. */
export function createIntake(dependencies: IntakeDependencies) {
  const { sender, meters, pace, findCrossing, source, session, maxWaiting } = dependencies

  return {
    /** Measures until what is due at this time has been made. */
    async measure() {
      while (pace.due(performance.now()) > 0 && sender.waiting() < maxWaiting) {
        for (const reading of await meters.read()) {
          const nowMs = Date.now()
          const crossing = findCrossing(reading)
          add('system-metrics', toMetric(reading, source, nowMs))
          if (crossing) add('notifications', toNotification(crossing, source, nowMs))
        }
      }
    },

    /** Makes an activity of a request, and an error log of one that failed. */
    report(exchange: Exchange) {
      add('user-activities', toActivity(exchange, session))
      if (isFailure(exchange)) add('error-logs', toErrorLog(exchange))
    }
  }

  function add(topic: DemoTopic, event: unknown) {
    pace.take(1)
    sender.add(topic, event)
  }
}
