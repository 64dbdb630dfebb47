import { type TProperties, type TSchema, Type } from '@sinclair/typebox'
import type { Filters, Page, PageRequest } from '../../db/queries/list.ts'
import { parseCursor, toCursor } from '../cursor.ts'
import { toInstant } from '../instant.ts'
import { toInvalid } from '../parse-batch.ts'
import { Nullable } from './values.ts'

/** A point in time, as a filter. */
export const instant = (description: string) =>
  Type.Optional(Type.String({ maxLength: 100, description, examples: ['2026-01-31T12:00:00Z'] }))

/** How many items an answer has at most. */
export const Limit = (description: string) =>
  Type.Integer({ minimum: 1, maximum: 500, default: 50, description, examples: [50] })

/** The query of a list: its filters, a range of time, and where the page begins. */
export function listQuery<P extends TProperties>(filters: P) {
  return Type.Object({
    ...filters,
    from: instant('the oldest time, inclusive; ISO 8601 with offset'),
    to: instant('the newest time, exclusive; ISO 8601 with offset'),
    limit: Limit('items at most'),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 512, description: '`nextCursor` of the page before' }))
  })
}

/** A page of a list, newest first. */
export function listOf(item: TSchema, description: string) {
  const nextCursor = Nullable(Type.String(), 'for `cursor` of the next page; null at the end')
  return Type.Object({ items: Type.Array(item), nextCursor }, { description })
}

/**
 * Parts the query of a list into filters and page.
 *
 * @throws SMG_GATEWAY_INVALID for a cursor or a time that is none
 */
export function parseListQuery(query: Record<string, unknown>): [filters: Filters, page: PageRequest] {
  const { limit, cursor, ...filters } = query as Record<string, string> & { limit: number }
  return [toFilters(filters), { limit, after: parseCursor(cursor) }]
}

/**
 * Gives filters whose times are as PostgreSQL is asked.
 *
 * @throws SMG_GATEWAY_INVALID for a time that is none
 */
export function toFilters(given: Filters): Filters {
  const filters = { ...given }
  for (const name of ['from', 'to']) {
    const text = filters[name]
    if (text === undefined) continue
    const time = toInstant(String(text))
    if (time === null)
      throw toInvalid([{ path: `/${name}`, message: 'is no point in time in ISO 8601 with an offset' }])
    filters[name] = time
  }
  return filters
}

/** The body of a page whose items PostgreSQL built. */
export function toPageText({ items, next }: Page): string {
  return `{"items":${items},"nextCursor":${JSON.stringify(toCursor(next))}}`
}
