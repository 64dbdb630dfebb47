// The careful consumer once more, with the rows given to postgres.js itself.
import postgres from 'postgres'
import { consumeBatches, openConsumer, place } from './consume.ts'

const sql = postgres(place.databaseUrl, { max: 4 })
// The text as it came: a value for `sql.json` goes as jsonb, which writes it in another way.
const UNKNOWN = 705
const consumer = await openConsumer(() => sql.end({ timeout: 1 }))

await consumeBatches(consumer, rows =>
  sql.begin(async tx => {
    const messages = rows.map(({ message: { value, headers, ...message } }) => ({
      ...message,
      value: sql.typed(value, UNKNOWN),
      headers: sql.typed(headers, UNKNOWN)
    }))
    await tx`INSERT INTO messages ${tx(messages)} ON CONFLICT DO NOTHING`
    const activities = rows.map(({ activity }) => ({
      id: activity.id,
      user_id: activity.userId,
      action: activity.action,
      metadata: sql.json(activity.metadata),
      occurred_at: activity.occurredAt
    }))
    await tx`INSERT INTO user_activities ${tx(activities)} ON CONFLICT DO NOTHING`
  })
)
