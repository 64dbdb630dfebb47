import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Sql } from 'postgres'
import type { Servers } from './servers.ts'

/** Bytes an event takes. */
export interface EventBytes {
  /** In both tables, with their indexes. */
  readonly postgres: number
  /** In the log, once. */
  readonly kafka: number
}

const DISK_BYTES = 20e9
const EVENTS_AN_HOUR = 1_000 * 3_600
/** Of the functions that ship: `retentionHours` in development and in production. PostgreSQL keeps everything. */
const RETENTION_HOURS = [1, 168]

/** What both tables take, with indexes and TOAST. */
export async function readTableBytes(sql: Sql): Promise<number> {
  const [row] = await sql`
    SELECT (pg_total_relation_size('messages') + pg_total_relation_size('user_activities'))::text AS bytes`
  return Number(row?.bytes)
}

/** What the segments of a topic take; of a broker that runs here. */
export function readLogBytes({ site }: Pick<Servers, 'site'>, topic: string): number {
  const data = join(site.dataFolder, 'kafka', 'data')
  const partitions = readdirSync(data).filter(
    name => name.startsWith(`${topic}-`) && /^\d+$/.test(name.slice(topic.length + 1))
  )
  const segments = partitions.flatMap(partition =>
    readdirSync(join(data, partition))
      .filter(file => file.endsWith('.log'))
      .map(file => statSync(join(data, partition, file)).size)
  )
  return segments.reduce((sum, bytes) => sum + bytes, 0)
}

/** Hours until a disk is full at 1,000 events a second: Kafka's part stops growing when its retention is over. */
export function toHoursUntilFull({ postgres, kafka }: EventBytes, retentionHours: number): number {
  const together = DISK_BYTES / (EVENTS_AN_HOUR * (postgres + kafka))
  if (together <= retentionHours) return together
  return (DISK_BYTES - kafka * EVENTS_AN_HOUR * retentionHours) / (EVENTS_AN_HOUR * postgres)
}

/** Says what an event takes on disk, and how long 20 GB last. */
export function toDiskText(bytes: EventBytes): string {
  const hours = RETENTION_HOURS.map(retention => {
    return `${toHoursUntilFull(bytes, retention).toFixed(1)} h where Kafka keeps ${retention} h`
  })
  return `On disk an event takes ${bytes.postgres.toFixed(0)} B in PostgreSQL, which keeps it for ever, and ${bytes.kafka.toFixed(0)} B in Kafka.
At 1,000 events/s 20 GB are full after ${hours.join(', and ')} (development and production).`
}
