import type { Static, TSchema } from '@sinclair/typebox'
import type { InferInsertModel } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { Logger } from 'pino'

/** A Drizzle transaction, in which a function without a table does any SQL. It rejects once its attempt is over. */
export type Transaction = Omit<PostgresJsDatabase, '$client'>

/** A valid event with its record. */
export interface Input<S extends TSchema = TSchema> {
  readonly event: Static<S>
  /** The event's UUID, in time order: the idempotency key for effects outside the database. */
  readonly id: string
  /** Null without a key; `base64:` and its bytes when it is no UTF-8 text. */
  readonly key: string | null
  /** Names to text, or to a list of texts where a name occurs more than once. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** The record's own, as producer or broker stamped it; ISO 8601 in UTC. */
  readonly timestamp: string
  readonly topic: string
  readonly partition: number
  /** Decimal string: a Kafka offset has 64 bits and does not fit a number. */
  readonly offset: string
}

/** What `handle` may use besides its event. Made anew for every attempt, revoked when it is over. */
export interface Context {
  /** Bound to topic, partition, offset and attempt, and to `traceId` where the record has a `traceparent`. */
  readonly log: Logger
  /** Aborts at the deadline of the attempt and at shutdown. */
  readonly signal: AbortSignal
  /** 1 on the first call; a redrive goes on counting. */
  readonly attempt: number
  /** Whether the event was a dead letter that is sent through its function again. */
  readonly isRedrive: boolean
  /**
   * Puts an event into the outbox, as it is now: it leaves if, and only if, this attempt's effect is committed.
   * @throws SMG_SDK_BAD_PUBLISH for an unknown topic or an event that breaks its schema
   */
  readonly publish: (topic: string, event: unknown) => void
}

/** What a function without a table may use. */
export interface TransactionContext extends Context {
  readonly tx: Transaction
}

/** A row as a function gives it: id and time of receipt are the runner's. */
export type Row<T extends PgTable> = Omit<InferInsertModel<T>, 'id' | 'receivedAt'>

/** A row, several, or none. */
export type Rows<T extends PgTable> = Row<T> | readonly Row<T>[] | null | undefined

/** How a function is run. Every time is in milliseconds. */
export interface Options {
  /** Attempts for one record; the first counts. 1 to 100, default 3. */
  readonly maxAttempts?: number
  /** The wait before the second attempt, which doubles up to `max`, with jitter. Default 100 to 5,000. */
  readonly backoffMs?: { readonly min: number; readonly max: number }
  /** For one attempt; default 10,000. */
  readonly timeoutMs?: number
  /** A record older than this is a dead letter, unhandled. Default none. */
  readonly maxAgeMs?: number
  /** Of the topic, when it is made; default 3. */
  readonly partitions?: number
  /** Of the topic, when it is made; default 1, and 168 in production. */
  readonly retentionHours?: number
  /** What a dead letter holds back: nothing, or the later records of its key. Default `partition`. */
  readonly ordering?: 'partition' | 'key'
  /** Keys handled at once inside a partition; only with `table`. Default 1. */
  readonly concurrency?: number
  /** Fields that are hidden outside the row. Default none. */
  readonly mask?: readonly string[]
}

interface Definition<S extends TSchema> extends Options {
  readonly event: S
  /** The Kafka key: events of one key stay in order. None, or null: no key. */
  readonly key?: (event: Static<S>) => string | null
}

/** A transformation of an event into rows of `table`, which the runner writes in batches. */
export interface RowFunction<S extends TSchema, T extends PgTable> extends Definition<S> {
  readonly table: T
  readonly handle: (input: Input<S>, context: Context) => Rows<T> | Promise<Rows<T>>
}

/** Any SQL in one transaction, one record after the other in the order of the partition. */
export interface TransactionFunction<S extends TSchema> extends Definition<S> {
  readonly table?: undefined
  readonly handle: (input: Input<S>, context: TransactionContext) => unknown
}

/** No effect of its own: its records are in `messages` all the same. */
export interface InboxFunction<S extends TSchema> extends Definition<S> {
  readonly table?: undefined
  readonly handle?: undefined
}

/** A function as the loader gives it: checked, every default filled in. */
export interface LoadedFunction {
  readonly topic: string
  /** The file it came from, for messages. */
  readonly file: string
  /** SHA-256 of the file, in hex: another one is another function. Empty when it was not read from a file. */
  readonly fileHash: string
  /** The event's schema; objects that do not say otherwise refuse unknown properties. */
  readonly event: TSchema
  readonly key: (event: unknown) => string | null
  readonly table: PgTable | null
  readonly handle: ((input: Input, context: TransactionContext) => unknown) | null
  /** `rows` with a table, `transaction` without, `inbox` without `handle`. */
  readonly kind: 'rows' | 'transaction' | 'inbox'
  readonly options: Required<Omit<Options, 'maxAgeMs'>> & { readonly maxAgeMs: number | null }
  /** Parses bytes into an event, or throws SMG_SDK_BAD_JSON or SMG_SDK_BAD_EVENT. */
  readonly parseEvent: (value: Buffer) => unknown
  /** Gives what is wrong with an event, or null: the same check that `parseEvent` makes. */
  readonly findFaults: (event: unknown) => readonly Fault[] | null
}

/** One fault of an event: the JSON pointer of the place (empty for the whole), and the rule that it breaks. */
export interface Fault {
  readonly path: string
  readonly message: string
}
