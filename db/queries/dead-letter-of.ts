/**
 * Whether a row of `dead_letters AS dead` is that of an event, as SQL for the lookup of one: in a subquery, or in LATERAL
 * with LIMIT. `$1` is its group and `$2` its topic. Only the index by event fits it. With plain equality a planner without
 * statistics may take one by topic, which is as long as the topic has dead letters.
 *
 * @param event an expression for the event's id
 */
export function isDeadLetterOf(event: string): string {
  return `dead.event_id = ${event} AND (dead.group_id, dead.topic) IS NOT DISTINCT FROM ($1, $2)`
}
