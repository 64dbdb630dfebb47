// What a test of a function imports from `smg-kafka/testing`: no broker, no database.
import pino from 'pino'
import { sdkErrors } from './errors.ts'
import { createEventId } from './event-id.ts'
import { parseDefinition } from './parse-definition.ts'
import type { IdentifiedRecord } from './record.ts'
import {
  createRecordSettler,
  type Disposition,
  type Outcome,
  type Published,
  type RunHandle,
  type Stage
} from './settle-record.ts'
import { toRows } from './to-rows.ts'
import type { LoadedFunction, Transaction, TransactionContext } from './types.ts'

/** An event with what a test wants to say of its record. */
export interface TestEvent {
  /** Anything that JSON can hold, valid or not. */
  readonly event: unknown
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** ISO 8601; now without it. */
  readonly timestamp?: string
}

/** A dead letter as `GET /api/dead-letters/{id}/export` gives it, or as much of it as a test needs. */
export interface TestDeadLetter {
  readonly record: {
    /** Null for a null value. */
    readonly valueBase64: string | null
    readonly keyBase64?: string | null
    /** `[name, base64 or null]`, in order. */
    readonly headers?: readonly (readonly (string | null)[])[]
    readonly timestamp?: string
    readonly topic?: string
    readonly partition?: number
    readonly offset?: string
  }
  readonly failure?: { readonly eventId?: string }
}

export interface TestOptions {
  /** The topic's name; `test` without it. */
  readonly topic?: string
  /** For a function without a table: a transaction of yours, or a stand-in. */
  readonly tx?: unknown
  /** Topics that the function may publish to; all without it. */
  readonly publishTo?: readonly string[]
}

/** What a function made of a record. */
export interface TestResult {
  readonly outcome: 'settled' | 'dead'
  /** As the function gave them; their ids are the runner's. */
  readonly rows: readonly Record<string, unknown>[]
  /** Each event as it is sent: what JSON leaves of it. */
  readonly published: readonly { readonly topic: string; readonly event: unknown }[]
  /** Calls of `handle`. */
  readonly attempts: number
  /** The waits between attempts that a runner would have made, in milliseconds: a test does not wait. */
  readonly waitsMs: readonly number[]
  /** Of a dead record; null for a settled one. */
  readonly stage: Stage | null
  readonly disposition: Disposition | null
  readonly error: unknown
}

/**
 * Runs a function on an event, or on an exported dead letter, as a runner does: the same validation, attempts, time
 * limits and dispositions.
 *
 * @param definition what the function's file exports by default
 * @throws SMG_SDK_BAD_FILE for a definition that a start would refuse
 */
export async function testFunction(
  definition: object,
  given: TestEvent | TestDeadLetter,
  { topic = 'test', tx, publishTo }: TestOptions = {}
): Promise<TestResult> {
  const loaded = parseDefinition(definition, { file: `${topic}.ts`, topic, retentionHours: 1 })
  const record = 'event' in given ? toRecord(given, topic) : fromDeadLetter(given, topic)
  const settle = createRecordSettler(loaded, {
    log: pino({ enabled: false }),
    shutdown: new AbortController().signal,
    toPublished: (target, event) => toPublished(target, event, publishTo)
  })
  const runHandle: RunHandle = (input, context) =>
    loaded.handle?.(input, Object.assign(context, { tx: tx as Transaction }) as TransactionContext)
  const waitsMs: number[] = []

  for (let attempt = 1; ; attempt += 1) {
    const outcome = checkRows(await settle(record, attempt, runHandle), loaded)
    if (outcome.kind === 'retry') waitsMs.push(outcome.waitMs)
    else if (outcome.kind === 'handled') {
      const rows = loaded.table ? toRows(outcome.effect) : []
      const published = outcome.published.map(({ topic, value }) => ({ topic, event: JSON.parse(String(value)) }))
      const none = { stage: null, disposition: null, error: null }
      return { outcome: 'settled', rows, published, attempts: attempt, waitsMs, ...none }
    } else {
      const { stage, disposition, attempts, error } = outcome
      return { outcome: 'dead', rows: [], published: [], attempts, waitsMs, stage, disposition, error }
    }
  }
}

function toPublished(topic: string, event: unknown, allowed: TestOptions['publishTo']): Published {
  if (allowed && !allowed.includes(topic))
    throw new sdkErrors.SMG_SDK_BAD_PUBLISH(topic, 'there is no function of that name')
  const text = JSON.stringify(event)
  if (text === undefined) throw new sdkErrors.SMG_SDK_BAD_PUBLISH(topic, 'it is nothing that JSON can hold')
  return { topic, key: null, value: Buffer.from(text) }
}

/** What is no row is found when it is to be written: no further attempt makes it one. */
function checkRows(outcome: Outcome, { table }: LoadedFunction): Outcome {
  if (outcome.kind !== 'handled' || !table) return outcome
  try {
    toRows(outcome.effect)
    return outcome
  } catch (error) {
    return { kind: 'dead', stage: 'persist', disposition: 'non_retriable', attempts: 1, error }
  }
}

function toRecord({ event, key = null, headers = {}, timestamp }: TestEvent, topic: string): IdentifiedRecord {
  const timestampMs = timestamp === undefined ? Date.now() : Date.parse(timestamp)
  return {
    id: createEventId(timestampMs),
    topic,
    partition: 0,
    offset: '0',
    timestampMs,
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(JSON.stringify(event) ?? ''),
    headers: Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)] as const)
  }
}

function fromDeadLetter({ record, failure }: TestDeadLetter, topic: string): IdentifiedRecord {
  const timestampMs = record.timestamp === undefined ? Date.now() : Date.parse(record.timestamp)
  const toBytes = (base64: string | null | undefined) => (base64 == null ? null : Buffer.from(base64, 'base64'))
  return {
    id: failure?.eventId ?? createEventId(timestampMs),
    topic: record.topic ?? topic,
    partition: record.partition ?? 0,
    offset: record.offset ?? '0',
    timestampMs,
    key: toBytes(record.keyBase64),
    value: toBytes(record.valueBase64),
    headers: (record.headers ?? []).map(([name, value]) => [name ?? '', toBytes(value)] as const)
  }
}
