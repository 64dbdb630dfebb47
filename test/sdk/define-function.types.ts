// Compiled by `npm run types`, and never run: every line that is marked must be an error, and no other.
import { jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { defineFunction, NonRetriableError, RetryAfterError, Type } from 'smg-kafka'
import { testFunction } from 'smg-kafka/testing'

const visits = pgTable('visits', {
  id: uuid().primaryKey(),
  user: text().notNull(),
  page: text(),
  kind: text({ enum: ['read', 'write'] }),
  details: jsonb(),
  occurredAt: timestamp('occurred_at', { mode: 'string' }).notNull(),
  receivedAt: timestamp('received_at').notNull().defaultNow()
})
const event = Type.Object({
  user: Type.String(),
  count: Type.Optional(Type.Integer()),
  kind: Type.Union([Type.Literal('read'), Type.Literal('write')])
})

// What must compile.
export const plain = defineFunction({
  event,
  key: ({ user }) => user,
  table: visits,
  handle: ({ event, id, key, headers, timestamp, topic, partition, offset }) => ({
    user: event.user,
    page: null,
    kind: event.kind,
    details: { id, key, headers, topic, next: partition + 1, offset: BigInt(offset) > 0n },
    occurredAt: timestamp
  })
})
const row = { user: 'u', occurredAt: '' }
export const several = defineFunction({ event, table: visits, handle: async () => [row, { ...row, page: 'p' }] })
// No error, though one would be welcome: TypeScript checks no excess in what a function returns.
export const excess = defineFunction({ event, table: visits, handle: () => ({ ...row, stranger: 1 }) })
export const none = defineFunction({ event, table: visits, handle: () => undefined })
export const nothing = defineFunction({ event, table: visits, handle: async () => null })
export const transaction = defineFunction({
  event,
  key: () => null,
  ...{ maxAttempts: 5, backoffMs: { min: 1, max: 2 }, timeoutMs: 1_000, maxAgeMs: 60_000, partitions: 6 },
  ...{ retentionHours: 24, mask: ['user'] },
  ordering: 'key',
  async handle({ event: { user } }, { tx, publish, log, signal, attempt }) {
    signal.throwIfAborted()
    await tx.insert(visits).values({ id: '', user, occurredAt: '' })
    await tx.transaction(inner => inner.delete(visits))
    log.info({ attempt })
    publish('other', { user })
    if (attempt > 1) throw new NonRetriableError('no', { cause: user })
    throw new RetryAfterError(1_000)
  }
})
export const inbox = defineFunction({ event })
export const result: Promise<'settled' | 'dead'> = testFunction(inbox, { event: {} }).then(({ outcome }) => outcome)

// Rows that do not fit their table.
// @ts-expect-error: a column is missing
defineFunction({ event, table: visits, handle: () => ({ user: 'u' }) })
// @ts-expect-error: a value has another type
defineFunction({ event, table: visits, handle: () => ({ user: 7, occurredAt: '' }) })
// @ts-expect-error: null where the column takes none
defineFunction({ event, table: visits, handle: () => ({ user: null, occurredAt: '' }) })
// @ts-expect-error: a word that the column does not have
defineFunction({ event, table: visits, handle: () => ({ ...row, kind: 'sleep' as const }) })
// @ts-expect-error: a row of a list is wrong
defineFunction({ event, table: visits, handle: () => [row, { user: 'u' }] })
// @ts-expect-error: a row that comes later is wrong
defineFunction({ event, table: visits, handle: async () => ({ user: 'u' }) })
// @ts-expect-error: no row at all
defineFunction({ event, table: visits, handle: () => 'row' })
// @ts-expect-error: a table needs its handle
defineFunction({ event, table: visits })
// @ts-expect-error: a table is no name
defineFunction({ event, table: 'visits', handle: () => row })

// Events used against their schema.
// @ts-expect-error: no such member
defineFunction({ event, handle: input => input.event.name })
// @ts-expect-error: a text is no number
defineFunction({ event, handle: input => input.event.user.toFixed() })
// @ts-expect-error: it may be missing
defineFunction({ event, handle: input => input.event.count.toFixed() })
// @ts-expect-error: a word that the schema does not have
defineFunction({ event, handle: input => input.event.kind === 'sleep' })
defineFunction({
  event,
  handle: input => {
    // @ts-expect-error: an event is not to be changed for another
    input.event = { user: '', kind: 'read' }
  }
})
// @ts-expect-error: an offset does not fit a number
defineFunction({ event, handle: ({ offset }) => offset + 1 - 1 })
// @ts-expect-error: a key may be null
defineFunction({ event, handle: ({ key }) => key.length })
// @ts-expect-error: a header may come twice
defineFunction({ event, handle: ({ headers }) => headers.a.toUpperCase() })
// @ts-expect-error: a key is a text or null
defineFunction({ event, key: ({ count }) => count ?? 0 })
// @ts-expect-error: no such member for a key
defineFunction({ event, key: input => input.name })
// @ts-expect-error: a schema is needed
defineFunction({ handle: () => undefined })
// @ts-expect-error: a schema is TypeBox's
defineFunction({ event: { type: 'object' } })

// A function with a table has no transaction.
defineFunction({
  event,
  table: visits,
  // @ts-expect-error: there is no tx
  handle: async (_, { tx }) => {
    await tx.delete(visits)
    return null
  }
})
// @ts-expect-error: the client is not for functions
defineFunction({ event, handle: (_, { tx }) => tx.$client })

// Options of another type.
// @ts-expect-error: a number
defineFunction({ event, maxAttempts: '3' })
// @ts-expect-error: both ends
defineFunction({ event, backoffMs: { min: 1 } })
// @ts-expect-error: one of two words
defineFunction({ event, ordering: 'topic' })
// @ts-expect-error: a list
defineFunction({ event, mask: 'user' })
// @ts-expect-error: no such option
defineFunction({ event, retries: 3 })
// @ts-expect-error: milliseconds
new RetryAfterError('1 s')
// @ts-expect-error: an event or a dead letter
testFunction(inbox, {})
