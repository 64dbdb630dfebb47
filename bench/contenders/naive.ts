// What many write first: eachMessage, an INSERT for each table, the offsets committed by the client.
import postgres from 'postgres'
import { openConsumer, place, toRows } from './consume.ts'

const sql = postgres(place.databaseUrl, { max: 4 })
const consumer = await openConsumer(() => sql.end({ timeout: 1 }))

await consumer.run({
  eachMessage: async ({ partition, message: record }) => {
    const { message, activity } = toRows(partition, record)
    await sql`
      INSERT INTO messages (topic, id, partition, "offset", key, value, headers, timestamp)
      VALUES (${message.topic}, ${message.id}, ${partition}, ${message.offset}, ${message.key}, ${message.value}::text::json,
        ${message.headers}::text::json, ${message.timestamp})`
    await sql`
      INSERT INTO user_activities (id, user_id, action, metadata, occurred_at)
      VALUES (${activity.id}, ${activity.userId}, ${activity.action}, ${JSON.stringify(activity.metadata)}::text::jsonb,
        ${activity.occurredAt})`
  }
})
