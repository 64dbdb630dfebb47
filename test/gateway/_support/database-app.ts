import type { Sql } from 'postgres'
import type { Test } from 'tap'
import { createDatabase } from '../../../db/client.ts'
import { createGatewayQueries, createGatewayWrites } from '../../../db/queries/gateway.ts'
import { createWriter } from '../../../db/writer.ts'
import { takeTurns } from '../../../gateway/take-turns.ts'
import type { GatewayDependencies } from '../../../gateway/types.ts'
import { createTestDatabase } from '../../_support/database.ts'
import { buildApp } from './build-app.ts'

export const PRODUCE_TIMEOUT_MS = 500

/** Opens a database of the test's own, as the gateway does. */
export async function openDatabase(t: Pick<Test, 'teardown'>, { ttlMs = 86_400_000 } = {}) {
  const { databaseUrl, sql } = await createTestDatabase(t)
  const database = createDatabase(databaseUrl, { max: 4, applicationName: 'test', statementTimeoutMs: 1_800 })
  const writer = createWriter(databaseUrl, { applicationName: 'test-writer' })
  t.teardown(() => Promise.all([database.close(), writer.close()]))

  const queries = createGatewayQueries(database.sql)
  const writes = createGatewayWrites(database.sql, {
    runTransaction: takeTurns(writer),
    produceTimeoutMs: PRODUCE_TIMEOUT_MS,
    idempotencyTtlMs: ttlMs
  })
  return { sql, queries, writes }
}

/** The app on a real PostgreSQL, and everything else a fake. */
export async function buildDatabaseApp(t: Test, overrides: Partial<GatewayDependencies> = {}) {
  const { sql, queries, writes } = await openDatabase(t)
  return { sql, app: await buildApp(t, { queries, writes, ...overrides }) }
}

/** A dead letter as a test wants it. */
export interface Dead {
  readonly id?: string
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  readonly key?: string | null
  readonly state?: string
  readonly stage?: string
  readonly disposition?: string
  readonly errorName?: string
  readonly timestamp?: string
  readonly createdAt?: string
  readonly resolvedAt?: string | null
}

let dead = 0

/** Inserts a dead letter of the group `smg.<topic>`, and gives its id. */
export async function insertDead(sql: Sql, given: Dead = {}): Promise<string> {
  dead += 1
  const serial = String(dead).padStart(12, '0')
  const {
    id = `019c1a2b-3c4d-7e5f-8a6b-${serial}`,
    topic = 'user-activities',
    partition = 0,
    offset = dead,
    key = 'k',
    state = 'dead',
    stage = 'handle',
    disposition = 'attempts_exhausted',
    errorName = 'Error',
    timestamp = '2026-01-31T12:00:00Z',
    createdAt = timestamp,
    resolvedAt = null
  } = given
  await sql`INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", key, value, headers, timestamp,
      stage, disposition, error_name, error_message, attempts, state, created_at, resolved_at)
    VALUES (${id}, ${`smg.${topic}`}, ${topic}, ${`019c1a2b-3c4d-7e5f-9a6b-${serial}`}, ${partition},
      ${String(offset)}::text::bigint, ${key === null ? null : Buffer.from(key)}, ${Buffer.from('{"a":1}')}, '[]',
      ${timestamp}::text::timestamptz, ${stage}, ${disposition}, ${errorName}, 'why', 3, ${state},
      ${createdAt}::text::timestamptz, ${resolvedAt}::text::timestamptz)`
  return id
}
