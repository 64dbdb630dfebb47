import type { AlertState } from '../../db/queries/alert-turns.ts'
import type { AlertRule } from './types.ts'

const ORDER = ['firing', 'pending', 'ok'] as const

/** A rule as the API gives it: its worst subject speaks for it. */
export function toAlert(rule: AlertRule, states: readonly AlertState[]) {
  const { name, severity, threshold, unit, summary, description, action, forSeconds } = rule
  const own = states.filter(state => state.name === name).sort(byBadness)
  const state = own[0]?.state ?? 'ok'
  const worst = own.filter(one => one.state === state)
  const values = worst.flatMap(({ value }) => (value === null ? [] : [value]))
  const times = worst.flatMap(({ sinceMs }) => (sinceMs === null ? [] : [sinceMs]))
  return {
    name,
    severity,
    state,
    value: values.length > 0 ? Math.max(...values) : null,
    threshold,
    unit,
    since: toTime(times.length > 0 ? Math.min(...times) : null),
    summary,
    description,
    action,
    forSeconds,
    subjects: own.map(({ subject, state, value, sinceMs }) => ({ subject, state, value, since: toTime(sinceMs) }))
  }
}

/** A time as ISO 8601; null stays null. */
export function toTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}

function byBadness(one: AlertState, other: AlertState): number {
  const difference = ORDER.indexOf(one.state) - ORDER.indexOf(other.state)
  return difference || (one.subject ?? '').localeCompare(other.subject ?? '')
}
