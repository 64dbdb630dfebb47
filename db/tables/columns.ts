import { customType, timestamp } from 'drizzle-orm/pg-core'

/** A point in time; ISO 8601 strings in TypeScript, so that raw and built queries read and write the same. */
export const time = (name: string) => timestamp(name, { withTimezone: true, mode: 'string' })

/** When the row was written. */
export const receivedAt = () => time('received_at').notNull().defaultNow()

/** Bytes as they are. */
export const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })
