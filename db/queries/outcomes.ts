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

// With LIMIT each is looked up by itself, whatever the planner believes of tables that it has not counted.
export const FIND_OUTCOMES = `SELECT awaited.topic, awaited.id::text AS id, messages.id IS NOT NULL AS "isSettled",
    dead.id::text AS "deadLetterId", dead.stage, dead.error_name AS name, dead.error_message AS message
  FROM json_to_recordset($1::text::json) AS awaited(topic text, "groupId" text, id uuid)
    LEFT JOIN LATERAL (SELECT id FROM messages
      WHERE messages.topic = awaited.topic AND messages.id = awaited.id LIMIT 1) AS messages ON true
    LEFT JOIN LATERAL (SELECT * FROM dead_letters AS dead
      WHERE dead.event_id = awaited.id AND dead.group_id = awaited."groupId" AND dead.topic = awaited.topic
      LIMIT 1) AS dead ON true
  WHERE messages.id IS NOT NULL OR dead.id IS NOT NULL`

/** Reads of what became of events. */
export function createOutcomeQueries(sql: Sql) {
  return {
    /** Gives the outcomes of those events that have one, by topic and id: `<topic> <id>`. */
    async find(events: readonly AwaitedEvent[]): Promise<Map<string, EventOutcome>> {
      const rows = await sql.unsafe(FIND_OUTCOMES, [JSON.stringify(events)], { prepare: true })
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
