import type { WriteTransaction } from '../write-transaction.ts'
import { claimLease, giveUpLease, type LeaseClaim } from './alert-lease.ts'
import type { RunTransaction } from './dead-letter-requests.ts'

/** What a rule says of one subject. */
export interface AlertState {
  readonly name: string
  /** A topic or a broker; null where the rule has only one. */
  readonly subject: string | null
  readonly state: 'ok' | 'pending' | 'firing'
  /** Null while it is not known. */
  readonly value: number | null
  /** When the condition began to hold, epoch in milliseconds; null while it does not. */
  readonly sinceMs: number | null
  /** Names the notices of the last time that it fired; null before the first. */
  readonly episodeMs: number | null
}

/** What is told of an alert when it fires, and when it clears. */
export interface Notice {
  /** The same whichever gateway makes it. */
  readonly id: string
  readonly name: string
  readonly severity: 'warning' | 'critical'
  readonly subject: string | null
  readonly event: 'fired' | 'cleared'
  readonly value: number | null
  readonly threshold: number
  readonly atMs: number
  readonly episodeMs: number
  readonly summary: string
}

/** What became of a notice in one of the places that it goes to. */
export interface Delivery {
  readonly noticeId: string
  readonly sink: string
  readonly state: 'pending' | 'delivered' | 'given_up'
  readonly attempts: number
  /** Of the last attempt; null before the first. */
  readonly atMs: number | null
}

/** A delivery that is still to be made. */
export interface PendingDelivery {
  readonly notice: Notice
  readonly sink: string
  readonly attempts: number
}

/** Ten seconds of a gateway, and how long ago they began. */
export type SlotCounts = readonly [ageMs: number, requests: number, errors: number, databaseFailures: number]

/** What a gateway brings to its turn. */
export interface AlertReport extends LeaseClaim {
  readonly seesKafka: boolean
  readonly counts: readonly SlotCounts[]
  /** What it made of the rules while PostgreSQL was away; empty lists otherwise. */
  readonly alone: { readonly notices: readonly Notice[]; readonly states: readonly AlertState[] }
  readonly deliveries: readonly Delivery[]
  /** The places that new notices go to. */
  readonly sinks: readonly string[]
}

/** What is evaluated: the same for whichever gateway does it. */
export interface StoredAlerts {
  /** By the clock of the database. */
  readonly nowMs: number
  readonly states: readonly AlertState[]
  /** Of all gateways; ages are of now. */
  readonly counts: readonly SlotCounts[]
}

export interface Evaluated {
  /** All that there are; a state that is missing is forgotten. */
  readonly states: readonly AlertState[]
  /** New ones. */
  readonly notices: readonly Notice[]
}

export interface AlertTurn {
  /** This gateway evaluated for all of them. */
  readonly leads: boolean
  readonly nowMs: number
  /** As they are after the turn. */
  readonly states: readonly AlertState[]
  /** The oldest ones, 200 of each sink at most; empty unless it leads: who leads delivers. */
  readonly pending: readonly PendingDelivery[]
}

type Query = WriteTransaction['query']

// Any number of ours. Turns come one after the other.
const TURN_LOCK = 7_361_094

/** Seconds since 1970 of a parameter in milliseconds, as a time. */
const toTime = (ms: string) => `to_timestamp(${ms} / 1000.0)`
const toMs = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`

/** Builds the turns of one gateway. Each is one transaction, on whichever connection: nothing of it outlives its end. */
export function createAlertTurns(runTransaction: RunTransaction) {
  return {
    /**
     * Reports, hands over what was made while PostgreSQL was away, and evaluates if this gateway leads.
     *
     * @param evaluate is called inside the transaction, and only of the gateway that leads
     */
    take(report: AlertReport, evaluate: (stored: StoredAlerts) => Evaluated): Promise<AlertTurn> {
      return runTransaction(async ({ query }) => {
        await query(`SELECT pg_advisory_xact_lock(${TURN_LOCK})`)
        await writeReport(query, report)
        const { leads, nowMs } = await claimLease(query, report)
        await handOver(query, report)
        const states = await readAlertStates(query)
        if (!leads) return { leads, nowMs, states, pending: [] }

        const evaluated = evaluate({ nowMs, states, counts: await readCounts(query, nowMs) })
        await writeStates(query, evaluated.states)
        await writeNotices(query, evaluated.notices, report.sinks)
        await query('UPDATE gateway_reports SET evaluated_at = clock_timestamp() WHERE instance = $1::uuid', [
          report.instance
        ])
        return { leads, nowMs, states: evaluated.states, pending: await readPending(query) }
      })
    },

    /** Says that a gateway takes no more turns: the next one to take one may lead. */
    async leave(instance: string): Promise<void> {
      await runTransaction(({ query }) => giveUpLease(query, instance))
    }
  }
}

export type AlertTurns = ReturnType<typeof createAlertTurns>

async function writeReport(query: Query, { instance, counts, seesKafka }: AlertReport): Promise<void> {
  await query(
    `INSERT INTO gateway_reports (instance, counts, sees_kafka, reported_at)
     VALUES ($1::uuid, $2::text::json, $3::boolean, clock_timestamp())
     ON CONFLICT (instance) DO UPDATE SET counts = excluded.counts, sees_kafka = excluded.sees_kafka,
       reported_at = excluded.reported_at`,
    [instance, JSON.stringify(counts), seesKafka]
  )
  await query(`DELETE FROM gateway_reports WHERE reported_at < clock_timestamp() - interval '1 hour'`)
}

/** Of two gateways that saw the same, the notices have one id and the states one episode: the second changes nothing. */
async function handOver(query: Query, { alone, deliveries, sinks }: AlertReport): Promise<void> {
  if (alone.notices.length > 0) {
    await writeNotices(query, alone.notices, sinks)
    await query(
      `UPDATE alert_states AS known SET state = 'ok', since = NULL
       FROM json_to_recordset($1::text::json) AS told (name text, subject text, event text, "episodeMs" float8)
       WHERE event = 'cleared' AND known.name = told.name AND known.subject = coalesce(told.subject, '')
         AND known.state = 'firing' AND known.episode = ${toTime('told."episodeMs"')}`,
      [JSON.stringify(alone.notices)]
    )
  }
  const firing = alone.states.filter(({ state }) => state === 'firing')
  if (firing.length > 0) {
    await upsertStates(query, firing, 'WHERE known.episode IS NULL OR known.episode < excluded.episode')
  }
  if (deliveries.length > 0) await writeDeliveries(query, deliveries)
}

/** Reads all states, by rule and subject. */
export async function readAlertStates(query: Query): Promise<AlertState[]> {
  const rows = await query(`
    SELECT name, nullif(subject, '') AS subject, state, value, ${toMs('since')} AS since, ${toMs('episode')} AS episode
    FROM alert_states ORDER BY name, alert_states.subject`)
  return rows.map(row => ({
    name: String(row.name),
    subject: row.subject as string | null,
    state: row.state as AlertState['state'],
    value: toNumber(row.value),
    sinceMs: toNumber(row.since),
    episodeMs: toNumber(row.episode)
  }))
}

async function readCounts(query: Query, nowMs: number): Promise<SlotCounts[]> {
  const rows = await query(`SELECT counts::text AS counts, ${toMs('reported_at')} AS reported FROM gateway_reports`)
  return rows.flatMap(row => {
    const passedMs = Math.max(0, nowMs - Number(row.reported))
    return (JSON.parse(String(row.counts)) as SlotCounts[]).map(
      ([ageMs, ...counts]): SlotCounts => [ageMs + passedMs, ...counts]
    )
  })
}

async function writeStates(query: Query, states: readonly AlertState[]): Promise<void> {
  await upsertStates(query, states)
  await query(
    `DELETE FROM alert_states WHERE (name, subject) NOT IN (
       SELECT name, coalesce(subject, '') FROM json_to_recordset($1::text::json) AS given (name text, subject text))`,
    [JSON.stringify(states)]
  )
}

async function upsertStates(query: Query, states: readonly AlertState[], condition = ''): Promise<void> {
  await query(
    `INSERT INTO alert_states AS known (name, subject, state, value, since, episode)
     SELECT name, coalesce(subject, ''), state, value, ${toTime('"sinceMs"')}, ${toTime('"episodeMs"')}
     FROM json_to_recordset($1::text::json)
       AS given (name text, subject text, state text, value float8, "sinceMs" float8, "episodeMs" float8)
     ON CONFLICT (name, subject) DO UPDATE SET state = excluded.state, value = excluded.value, since = excluded.since,
       episode = excluded.episode ${condition}`,
    [JSON.stringify(states)]
  )
}

async function writeNotices(query: Query, notices: readonly Notice[], sinks: readonly string[]): Promise<void> {
  if (notices.length === 0) return
  await query(
    `INSERT INTO alert_notices (id, name, severity, subject, event, value, threshold, at, episode, summary)
     SELECT id, name, severity, subject, event, value, threshold, ${toTime('"atMs"')}, ${toTime('"episodeMs"')}, summary
     FROM json_to_recordset($1::text::json) AS given (id uuid, name text, severity text, subject text, event text,
       value float8, threshold float8, "atMs" float8, "episodeMs" float8, summary text)
     ON CONFLICT (id) DO NOTHING`,
    [JSON.stringify(notices)]
  )
  await writeDeliveries(
    query,
    notices.flatMap(({ id }) =>
      sinks.map((sink): Delivery => ({ noticeId: id, sink, state: 'pending', attempts: 0, atMs: null }))
    )
  )
}

/** Writes what became of notices that are there. What is delivered or given up stays so. */
export async function writeDeliveries(query: Query, deliveries: readonly Delivery[]): Promise<void> {
  await query(
    `INSERT INTO alert_deliveries AS known (notice_id, sink, state, attempts, at)
     SELECT "noticeId", sink, state, attempts, ${toTime('"atMs"')}
     FROM json_to_recordset($1::text::json)
       AS given ("noticeId" uuid, sink text, state text, attempts int, "atMs" float8)
     WHERE EXISTS (SELECT FROM alert_notices WHERE id = "noticeId")
     ON CONFLICT (notice_id, sink) DO UPDATE SET state = excluded.state,
       attempts = greatest(known.attempts, excluded.attempts), at = coalesce(excluded.at, known.at)
       WHERE known.state = 'pending'`,
    [JSON.stringify(deliveries)]
  )
}

async function readPending(query: Query): Promise<PendingDelivery[]> {
  // Of each place: one that is away must not keep the others from what is theirs.
  const rows = await query(`
    SELECT id::text AS id, name, severity, subject, event, value, threshold, ${toMs('oldest.at')} AS at,
      ${toMs('episode')} AS episode, summary, sink, attempts
    FROM (
      SELECT notice.*, sink, attempts, row_number() OVER (PARTITION BY sink ORDER BY notice.at, notice.id) AS place
      FROM alert_deliveries AS delivery JOIN alert_notices AS notice ON notice.id = delivery.notice_id
      WHERE delivery.state = 'pending') AS oldest
    WHERE place <= 200 ORDER BY oldest.at, oldest.id, sink`)
  return rows.map(row => ({
    sink: String(row.sink),
    attempts: Number(row.attempts),
    notice: {
      id: String(row.id),
      name: String(row.name),
      severity: row.severity as Notice['severity'],
      subject: row.subject as string | null,
      event: row.event as Notice['event'],
      value: toNumber(row.value),
      threshold: Number(row.threshold),
      atMs: Number(row.at),
      episodeMs: Number(row.episode),
      summary: String(row.summary)
    }
  }))
}

function toNumber(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}
