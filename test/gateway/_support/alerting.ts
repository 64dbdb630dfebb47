import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import type { Sql } from 'postgres'
import type { Test } from 'tap'
import { type AlertTurns, createAlertTurns, type Notice, type SlotCounts } from '../../../db/queries/alert-turns.ts'
import { createAlertQueries, createAlertWrites } from '../../../db/queries/alerts.ts'
import { createWriter } from '../../../db/writer.ts'
import { createAlerts } from '../../../gateway/alerts/alerts.ts'
import { createDeliveries, type Sink } from '../../../gateway/alerts/deliveries.ts'
import type { LocalInputs } from '../../../gateway/alerts/read-inputs.ts'
import type { AlertRule } from '../../../gateway/alerts/types.ts'
import { takeTurns } from '../../../gateway/take-turns.ts'

/** A rule that fires above 100 records of the outbox, and one that fires above 10 failures of all gateways. */
const testRules: readonly AlertRule[] = [
  toRule({
    name: 'TooMuch',
    threshold: 100,
    measure: ({ outbox }) => outbox && [{ subject: null, value: outbox.refused }]
  }),
  toRule({
    name: 'TooManyFailures',
    threshold: 10,
    measure: ({ counts }) => [{ subject: null, value: counts.reduce((sum, [, , , failures]) => sum + failures, 0) }]
  })
]

function toRule(given: Pick<AlertRule, 'name' | 'threshold' | 'measure'>): AlertRule {
  const texts = { summary: given.name, description: '', action: '' }
  return { severity: 'critical', clearsAt: given.threshold, unit: 'records', forSeconds: 0, ...texts, ...given }
}

/** What a test shows to a gateway, and what it did. */
export interface TestGateway {
  /** Refused events, for the first rule. */
  refused: number
  failures: number
  seesKafka: boolean
  /** What it delivered, in that order. */
  readonly told: Notice[]
  readonly alerts: ReturnType<typeof createAlerts>
}

interface GatewayOptions {
  readonly turns: AlertTurns
  readonly sql?: Sql
  /** Beside the one that remembers. */
  readonly sinks?: Readonly<Record<string, Sink>>
  readonly nowMs?: () => number
  readonly intervalMs?: number
}

/** The alerts of a gateway, with two rules and inputs that a test sets; it takes its turns when it is told to. */
export function startAlerting(
  t: Pick<Test, 'teardown'>,
  { turns, sql, sinks = {}, nowMs = Date.now, intervalMs = 10 }: GatewayOptions
): TestGateway {
  const told: Notice[] = []
  const remember: Sink = { send: async notice => void told.push(notice) }
  const all = new Map<string, Sink>([['memory', remember], ...Object.entries(sinks)])
  const log = pino({ enabled: false })
  const shown = { refused: 0, failures: 0, seesKafka: true }
  const readInputs = async (): Promise<LocalInputs> => {
    const unknown = { topics: null, underReplicated: null, brokers: new Map(), functions: null, deadLetters: null }
    return { ...unknown, seesKafka: shown.seesKafka, outbox: { oldestSeconds: 0, refused: shown.refused } }
  }
  const alerts = createAlerts({
    rules: testRules,
    readInputs,
    turns,
    readStored: sql ? createAlertQueries(sql).states : async () => Promise.reject(new Error('away')),
    settle: sql ? createAlertWrites(sql).settle : async () => Promise.reject(new Error('away')),
    deliveries: createDeliveries({ sinks: all, log, now: nowMs, backoffMs: [5] }),
    sinks: [...all.keys()],
    counts: { read: (): SlotCounts[] => (shown.failures > 0 ? [[0, 0, 0, shown.failures]] : []) },
    log,
    now: nowMs,
    steadyMs: () => performance.now(),
    intervalMs,
    instance: randomUUID()
  })
  t.teardown(alerts.stop)
  return Object.assign(shown, { told, alerts })
}

/** Turns on a connection of their own to PostgreSQL, as a gateway takes them. */
export function openTurns(t: Pick<Test, 'teardown'>, databaseUrl: string) {
  const writer = createWriter(databaseUrl, { applicationName: 'test-alerts' })
  t.teardown(writer.close)
  return createAlertTurns(takeTurns(writer))
}
