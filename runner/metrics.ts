import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Backlog } from '../db/queries/outbox.ts'
import { createHistogram } from '../sdk/series.ts'
import type { Tally } from './settled.ts'

/** Counters of a runner. */
export type RunnerMetrics = ReturnType<typeof createMetrics>

/** Builds the metrics of one runner, on a registry of their own. */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  const labelNames = ['topic'] as const
  const counter = (name: string, help: string) => new Counter({ name, help, labelNames, registers })
  collectDefaultMetrics({ register: registry })

  const records = counter('smg_records_settled_total', 'Records whose outcome was committed')
  const messages = counter('smg_messages_total', 'Events that were new in the inbox')
  const rows = counter('smg_rows_total', 'Rows written into tables of functions')
  const deadLetters = new Counter({
    name: 'smg_dead_letters_total',
    help: 'Records that became dead letters, by what they died of',
    labelNames: ['topic', 'disposition'],
    registers
  })
  const duplicates = counter('smg_duplicates_total', 'Copies of events that were settled already')

  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const waiting = gauge('smg_outbox_waiting', 'Events of the outbox that Kafka has not taken yet, of all runners')
  const oldest = gauge('smg_outbox_oldest_seconds', 'Age of the event of the outbox that waits longest')
  const refused = gauge(
    'smg_outbox_refused',
    'Events of the outbox that Kafka will never take, and that were set aside'
  )

  return {
    registry,
    /** Notes the state of the outbox. */
    setBacklog(backlog: Backlog) {
      waiting.set(backlog.waiting)
      oldest.set(backlog.oldestSeconds)
      refused.set(backlog.refused)
    },
    unclassified: counter('smg_unclassified_errors_total', 'Errors of PostgreSQL with a code that nobody listed'),
    attemptsFailed: counter('smg_attempts_failed_total', 'Attempts that failed and are made again'),
    lateCalls: counter('smg_late_calls_total', 'Calls of `tx` or `publish` that came when their attempt was over'),
    redriven: new Counter({
      name: 'smg_dead_letters_redriven_total',
      help: 'Dead letters that ran through their function again, by what became of them',
      labelNames: ['topic', 'result'],
      registers
    }),
    lag: new Gauge({
      name: 'smg_lag_records',
      help: 'Records that are not settled yet',
      labelNames: ['topic', 'partition'],
      registers
    }),
    cycleSeconds: new Histogram({
      name: 'smg_cycle_seconds',
      help: 'Time of one transaction of a group',
      labelNames,
      buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
      registers
    }),
    cycleRecords: new Histogram({
      name: 'smg_cycle_records',
      help: 'Records that one transaction of a group settled',
      labelNames,
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000],
      registers
    }),
    consumed: new Counter({
      name: 'messaging_client_consumed_messages_total',
      help: 'Records that were fetched, again after a loss of the partition too',
      labelNames: ['messaging_destination_name', 'messaging_consumer_group_name'],
      registers
    }),
    /** By `messaging_destination_name` and `messaging_consumer_group_name`: once a function, not once a record. */
    openProcessSeconds: createHistogram({
      name: 'messaging_process_duration_seconds',
      help: 'Time of one call of a handler',
      buckets: [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30],
      registry
    }),
    waiting: new Gauge({
      name: 'smg_waiting',
      help: 'For what a function waits in this runner: 1 for one reason at most',
      labelNames: ['topic', 'reason'],
      registers
    }),
    /** Adds what one partition brought into a committed cycle. */
    count(topic: string, tally: Tally | undefined, settled: number) {
      records.inc({ topic }, settled)
      if (!tally) return
      if (tally.messages) messages.inc({ topic }, tally.messages)
      if (tally.rows) rows.inc({ topic }, tally.rows)
      for (const { reason } of tally.dead ?? []) deadLetters.inc({ topic, disposition: reason.disposition })
      if (tally.duplicates) duplicates.inc({ topic }, tally.duplicates)
    }
  }
}
