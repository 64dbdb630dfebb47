import type { Sql } from 'postgres'

/** An event that somebody waits for. */
export interface AwaitedEvent {
  readonly topic: string
  /** Of the function. */
  readonly groupId: string
  readonly id: string
}

/** What became of an event. */
export type EventOutcome =
  | { readonly state: 'settled' }
  | {
      readonly state: 'dead'
      readonly deadLetterId: string
      readonly stage: string
      readonly error: { readonly name: string; readonly message: string }
    }

/** Reads of what became of events. */
export function createOutcomeQueries(sql: Sql) {
  return {
    /** Gives the outcomes of those events that have one, by topic and id: `<topic> <id>`. */
    async find(events: readonly AwaitedEvent[]): Promise<Map<string, EventOutcome>> {
      const rows = await sql.unsafe(
        `SELECT awaited.topic, awaited.id::text AS id, messages.id IS NOT NULL AS "isSettled",
           dead.id::text AS "deadLetterId", dead.stage, dead.error_name AS name, dead.error_message AS message
         FROM json_to_recordset($1::text::json) AS awaited(topic text, "groupId" text, id uuid)
           LEFT JOIN messages ON messages.topic = awaited.topic AND messages.id = awaited.id
           LEFT JOIN dead_letters AS dead ON dead.group_id = awaited."groupId" AND dead.topic = awaited.topic
             AND dead.event_id = awaited.id
         WHERE messages.id IS NOT NULL OR dead.id IS NOT NULL`,
        [JSON.stringify(events)],
        { prepare: true }
      )
      return new Map(rows.map(row => [`${row.topic} ${row.id}`, toOutcome(row)]))
    }
  }
}

// A resolved dead letter has both: then its effect is what counts.
function toOutcome({ isSettled, deadLetterId, stage, name, message }: Record<string, unknown>): EventOutcome {
  if (isSettled) return { state: 'settled' }
  const error = { name: String(name), message: String(message) }
  return { state: 'dead', deadLetterId: String(deadLetterId), stage: String(stage), error }
}
