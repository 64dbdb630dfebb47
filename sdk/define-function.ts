import type { TSchema } from '@sinclair/typebox'
import type { PgTable } from 'drizzle-orm/pg-core'
import type { InboxFunction, RowFunction, TransactionFunction } from './types.ts'

/**
 * Declares the function of the topic that its file is named after. Throws nothing: the loader reports a wrong shape.
 * `handle` may run more than once for one event, and only one run's effect is ever committed.
 */
export function defineFunction<S extends TSchema, T extends PgTable>(definition: RowFunction<S, T>): RowFunction<S, T>
export function defineFunction<S extends TSchema>(definition: TransactionFunction<S>): TransactionFunction<S>
export function defineFunction<S extends TSchema>(definition: InboxFunction<S>): InboxFunction<S>
export function defineFunction(definition: unknown): unknown {
  return definition
}
