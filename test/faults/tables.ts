import { sql } from 'drizzle-orm'
import { bigint, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'

// The effects that the checker counts. None has a unique key besides the row's own id: applied twice shows.

const rowColumns = {
  id: uuid().primaryKey(),
  ref: text().notNull(),
  key: text().notNull(),
  seq: integer().notNull(),
  /** Rows of one statement have no order among them; transactions of one partition have. */
  xid: bigint({ mode: 'bigint' }).notNull().default(sql`(pg_current_xact_id()::text)::bigint`)
}

/** Of `entries`. */
export const faultEntries = pgTable('fault_entries', rowColumns)

/** Of `shipments`, which `orders` publishes. */
export const faultShipments = pgTable('fault_shipments', rowColumns)

/** Of `poison`: PostgreSQL refuses one kind of row. */
export const faultPoison = pgTable('fault_poison', { ...rowColumns, kind: text().notNull() })

/** What makes the tables; in a schema of tests, no migration is theirs. */
export const CREATE_TABLES = `
  CREATE TABLE fault_entries (id uuid PRIMARY KEY, ref text NOT NULL, key text NOT NULL, seq int NOT NULL,
    xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text)::bigint);
  CREATE TABLE fault_shipments (LIKE fault_entries INCLUDING ALL);
  CREATE TABLE fault_poison (LIKE fault_entries INCLUDING ALL, kind text NOT NULL CHECK (kind <> 'bad-row'));
  -- Of ledger and orders, written by their own SQL: the counter is of the effects of its key.
  CREATE TABLE fault_effects (ord bigserial, topic text NOT NULL, event_id uuid NOT NULL, ref text NOT NULL,
    key text NOT NULL, seq int NOT NULL, counter int NOT NULL);
  CREATE TABLE fault_counters (topic text, key text, n int NOT NULL, PRIMARY KEY (topic, key));
  CREATE TABLE fault_late (ref text NOT NULL);
  CREATE TABLE naive_effects (ord bigserial, topic text NOT NULL, ref text NOT NULL, key text NOT NULL, seq int NOT NULL);
`
