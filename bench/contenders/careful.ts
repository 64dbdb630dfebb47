// What a careful team writes: batches of 500 rows by Drizzle, both tables in one transaction, ON CONFLICT for what comes
// twice, partitions side by side. At least once: no fence, no dead letters, no attempts.
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { messages } from '../../db/tables/messages.ts'
import { userActivities } from '../../db/tables/user-activities.ts'
import { consumeBatches, openConsumer, place } from './consume.ts'

const client = postgres(place.databaseUrl, { max: 4 })
const db = drizzle(client)
const consumer = await openConsumer(() => client.end({ timeout: 1 }))

await consumeBatches(consumer, rows =>
  db.transaction(async tx => {
    await tx
      .insert(messages)
      .values(
        rows.map(({ message }) => ({
          ...message,
          offset: BigInt(message.offset),
          value: JSON.parse(message.value),
          headers: JSON.parse(message.headers)
        }))
      )
      .onConflictDoNothing()
    await tx
      .insert(userActivities)
      .values(rows.map(({ activity }) => activity))
      .onConflictDoNothing()
  })
)
