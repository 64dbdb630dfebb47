import type { AlertState, Notice } from '../../db/queries/alert-turns.ts'
import { deriveEventId } from '../../sdk/event-id.ts'
import type { AlertRule, Unit } from './types.ts'

// Gateways that are on their own see the same fault some seconds apart. The longer this is, the rarer two of them stand
// on both sides of a border; a receiver gets such a notice twice.
const EPISODE_MS = 600_000

/**
 * Gives the time that names the notices of an alert: when its condition began, rounded down, but later than the time
 * before it.
 */
export function toEpisodeMs(sinceMs: number, before: number | null): number {
  const roundedMs = Math.floor(sinceMs / EPISODE_MS) * EPISODE_MS
  return before === null ? roundedMs : Math.max(roundedMs, before + EPISODE_MS)
}

/** Gives what is told of an alert. Its id is that of rule, subject, episode and event: who gets it twice can tell. */
export function toNotice(rule: AlertRule, state: AlertState, event: Notice['event'], atMs: number): Notice {
  const { name, severity, threshold } = rule
  const { subject, value } = state
  const episodeMs = state.episodeMs ?? 0
  const id = deriveEventId(episodeMs, ['alert', name, subject, event])
  return {
    id,
    name,
    severity,
    subject,
    event,
    value,
    threshold,
    atMs,
    episodeMs,
    summary: toSummary(rule, state, event)
  }
}

function toSummary({ summary, unit, threshold }: AlertRule, { subject, value }: AlertState, event: Notice['event']) {
  const where = subject === null ? '' : ` (${subject})`
  const now = value === null ? 'unknown' : format(value, unit)
  return event === 'fired'
    ? `${summary}${where}: ${now}, more than ${format(threshold, unit)}`
    : `Over: ${summary}${where}: ${now}`
}

function format(value: number, unit: Unit): string {
  if (unit === 'ratio') return `${(value * 100).toFixed(1)} %`
  return `${Math.round(value).toLocaleString('en-US')} ${unit}`
}
