import type { Sql } from 'postgres'
import type { PlannedRecord } from '../tables/idempotency-keys.ts'

/** A request under a key; the same three mean the same request, whatever its body is. */
export interface KeyedRequest {
  /** Who asks; empty without security. */
  readonly subject: string
  readonly route: string
  readonly key: string
  /** SHA-256 of the body, in hex. */
  readonly bodyHash: string
}

/** What is sent for a request, the first time and each time after it. */
export interface StoredPlan {
  readonly records: readonly PlannedRecord[]
  /** Of all its records. */
  readonly timestampMs: number
}

/** A request that the caller may produce now, and nobody else until its time is over. */
export interface Claim {
  readonly kind: 'claimed'
  /** The one that was stored first. */
  readonly plan: StoredPlan
  /** What a former answer that nobody could rely on said already; null without one. */
  readonly before: unknown
  /** Nobody produced it before. */
  readonly isNew: boolean
  /** Of this claim alone. */
  readonly token: string
}

/** What became of a request. */
export interface StoredAnswer {
  readonly kind: 'answered'
  readonly status: number
  readonly answer: unknown
}

export type Claimed = Claim | StoredAnswer | { readonly kind: 'in-flight' } | { readonly kind: 'other-body' }

interface IdempotencyOptions {
  /** For one produce: whoever claimed a request longer ago has failed. */
  readonly produceTimeoutMs: number
  readonly ttlMs: number
}

// An answer with this status has gone out, and a repeat is to do better.
const OPEN = 503

const SAME_REQUEST = 'subject = $1 AND route = $2 AND key = $3'
const EXPIRE_AT_ONCE = 1_000

/** The writes of `idempotency_keys`. Each is one statement, and so a transaction; all times are the database's. */
export function createIdempotencyWrites(sql: Sql, { produceTimeoutMs, ttlMs }: IdempotencyOptions) {
  return {
    /**
     * Stores a request with its plan before it is produced, or takes up one that was not answered for good: then it has the plan that
     * is stored. Of several at the same instant one gets the claim.
     */
    async claim(request: KeyedRequest, plan: StoredPlan): Promise<Claimed> {
      const claim = await insert(request, plan)
      if (claim) return claim
      const known = await look(request)
      if (known) return known
      // It has expired, or is gone since.
      return (await insert(request, plan)) ?? { kind: 'in-flight' }
    },

    /** Gives the answer of a request that has one, or that its key belongs to another; undefined for all else. */
    async find(request: KeyedRequest): Promise<Claimed | undefined> {
      const known = await look(request)
      return known?.kind === 'in-flight' ? undefined : known
    },

    /** Stores the answer of a request, unless there is one: the first counts, and is given. */
    async finish(request: KeyedRequest, { status, answer }: Omit<StoredAnswer, 'kind'>): Promise<StoredAnswer> {
      const { count } = await run(
        `UPDATE idempotency_keys SET status = $5::int, answer = $6::text::json
         WHERE ${SAME_REQUEST} AND body_hash = decode($4, 'hex') AND (status IS NULL OR status = ${OPEN})`,
        [...identify(request), status, JSON.stringify(answer)]
      )
      const known = count > 0 ? undefined : await look(request)
      return known?.kind === 'answered' ? known : { kind: 'answered', status, answer }
    },

    /** Lets a claimed request be produced again, with what is certain of it already. */
    async release(request: KeyedRequest, { token }: Pick<Claim, 'token'>, certain: unknown): Promise<void> {
      await run(
        `UPDATE idempotency_keys SET status = ${OPEN}, answer = $5::text::json
         WHERE ${SAME_REQUEST} AND status IS NULL AND started_at = $4::text::timestamptz`,
        [...identify(request).slice(0, 3), token, JSON.stringify(certain)]
      )
    },

    /** Forgets a claimed request of which certainly nothing was written. */
    async forget(request: KeyedRequest, { token }: Pick<Claim, 'token'>): Promise<void> {
      await run(
        `DELETE FROM idempotency_keys WHERE ${SAME_REQUEST} AND status IS NULL AND started_at = $4::text::timestamptz`,
        [...identify(request).slice(0, 3), token]
      )
    },

    /** Deletes some of what is older than its time, and says how many; call it again until that is 0. */
    async expire(): Promise<number> {
      const { count } = await run(
        `DELETE FROM idempotency_keys WHERE (subject, route, key) IN (
           SELECT subject, route, key FROM idempotency_keys WHERE created_at < ${before('$1')}
           ORDER BY created_at LIMIT ${EXPIRE_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
        [ttlMs]
      )
      return count
    }
  }

  async function insert(request: KeyedRequest, plan: StoredPlan): Promise<Claim | undefined> {
    // One that begins later than now began while the clock of the database was ahead: nobody works on it by now.
    // A second one that comes meanwhile waits here for the commit of the first, and then finds it in flight.
    const [row] = await run(
      `INSERT INTO idempotency_keys AS known (subject, route, key, body_hash, records, timestamp, started_at)
       VALUES ($1, $2, $3, decode($4, 'hex'), $5::text::json, $6::text::timestamptz, clock_timestamp())
       ON CONFLICT (subject, route, key) DO UPDATE SET started_at = clock_timestamp(), status = NULL
         WHERE known.body_hash = excluded.body_hash AND (known.status = ${OPEN}
           OR known.status IS NULL AND known.started_at NOT BETWEEN ${before('$7')} AND ${before('-$7')})
       RETURNING records::text AS records, (extract(epoch FROM timestamp) * 1000)::bigint::text AS ms,
         answer::text AS answer, started_at::text AS token, xmax = 0 AS "isNew"`,
      [...identify(request), JSON.stringify(plan.records), new Date(plan.timestampMs).toISOString(), produceTimeoutMs]
    )
    if (!row) return undefined
    const { records, ms, answer, token, isNew } = row
    const stored = { records: JSON.parse(records), timestampMs: Number(ms) }
    return { kind: 'claimed', plan: stored, before: answer === null ? null : JSON.parse(answer), isNew, token }
  }

  /** Undefined when there is nothing, or nothing that still counts: that is deleted. */
  async function look(request: KeyedRequest): Promise<Exclude<Claimed, Claim> | undefined> {
    const old = `created_at < ${before('$4')} AND (status IS NOT NULL OR started_at < ${before('$5')})`
    const parameters = [...identify(request).slice(0, 3), ttlMs, produceTimeoutMs]
    const [row] = await run(
      `SELECT encode(body_hash, 'hex') AS hash, status, answer::text AS answer, ${old} AS "isOld"
       FROM idempotency_keys WHERE ${SAME_REQUEST}`,
      parameters
    )
    if (!row) return undefined
    if (row.isOld) {
      await run(`DELETE FROM idempotency_keys WHERE ${SAME_REQUEST} AND ${old}`, parameters)
      return undefined
    }
    if (row.hash !== request.bodyHash) return { kind: 'other-body' }
    if (row.status === null || row.status === OPEN) return { kind: 'in-flight' }
    return { kind: 'answered', status: row.status, answer: JSON.parse(row.answer) }
  }

  function run(text: string, parameters: (string | number)[]) {
    return sql.unsafe(text, parameters, { prepare: true })
  }
}

function identify({ subject, route, key, bodyHash }: KeyedRequest) {
  return [subject, route, key, bodyHash]
}

// Not now(): a statement that waited for a lock would look back from before its wait.
function before(milliseconds: string): string {
  return `clock_timestamp() - ${milliseconds}::float8 * interval '1 millisecond'`
}
