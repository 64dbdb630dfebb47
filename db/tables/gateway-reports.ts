import { boolean, json, pgTable, uuid } from 'drizzle-orm/pg-core'
import { time } from './columns.ts'

/** What each gateway counted of late: the alert rules look at the sum of all. And which of them evaluates the rules. */
export const gatewayReports = pgTable('gateway_reports', {
  /** Of a process: a gateway that starts again is another one. */
  instance: uuid().primaryKey(),
  /** `[[age in ms when it was reported, requests, errors, failures of the database], …]` */
  counts: json()
    .$type<readonly (readonly [ageMs: number, requests: number, errors: number, failures: number])[]>()
    .notNull(),
  reportedAt: time('reported_at').notNull().defaultNow(),
  /** When it last evaluated the rules for all; null when it never did. */
  evaluatedAt: time('evaluated_at'),
  /** Whether it saw Kafka when it reported. */
  seesKafka: boolean('sees_kafka').notNull().default(false),
  /** Its lease: so long it evaluates for all, and no other one does. Null when it does not. */
  leadsUntil: time('leads_until')
})
