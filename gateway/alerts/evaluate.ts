import type { AlertState, Evaluated } from '../../db/queries/alert-turns.ts'
import { toEpisodeMs, toNotice } from './notice.ts'
import type { AlertInputs, AlertRule, Reading } from './types.ts'

interface Moment {
  readonly states: readonly AlertState[]
  readonly nowMs: number
}

/**
 * Gives what the rules say after `states`, and what somebody has to be told of it. The same inputs give the same, on
 * whichever gateway.
 */
export function evaluate(rules: readonly AlertRule[], inputs: AlertInputs, { states, nowMs }: Moment): Evaluated {
  const next: AlertState[] = []
  const notices: Evaluated['notices'][number][] = []

  for (const rule of rules) {
    const known = states.filter(({ name }) => name === rule.name)
    const readings = rule.measure(inputs)
    for (const reading of readings ? withMissing(readings, known) : known.map(toUnknown)) {
      const before = known.find(({ subject }) => subject === reading.subject) ?? toNew(rule, reading)
      const after = step(rule, { before, value: reading.value, nowMs })
      // Forgotten once it is well; what is known of its last notices is needed as long as those are young.
      if (!reading.isMissing || after.state !== 'ok' || isYoung(after, nowMs)) next.push(after)
      if (before.state !== 'firing' && after.state === 'firing') notices.push(toNotice(rule, after, 'fired', nowMs))
      if (before.state === 'firing' && after.state === 'ok') notices.push(toNotice(rule, after, 'cleared', nowMs))
    }
  }
  return { states: next, notices }
}

interface Measured extends Reading {
  readonly isMissing?: boolean
}

/** A subject that is gone, such as a topic without dead letters, is well. */
function withMissing(readings: readonly Reading[], known: readonly AlertState[]): Measured[] {
  const gone = known.filter(({ subject }) => !readings.some(reading => reading.subject === subject))
  return [...readings, ...gone.map(({ subject }) => ({ subject, value: 0, isMissing: true }))]
}

function toUnknown({ subject }: AlertState): Measured {
  return { subject, value: null }
}

function toNew({ name }: AlertRule, { subject }: Reading): AlertState {
  return { name, subject, state: 'ok', value: null, sinceMs: null, episodeMs: null }
}

interface Step {
  readonly before: AlertState
  readonly value: number | null
  readonly nowMs: number
}

function step(rule: AlertRule, { before, value, nowMs }: Step): AlertState {
  // Unknown: what was said stands.
  if (value === null || !Number.isFinite(value)) return { ...before, value: null }

  if (before.state === 'firing') {
    return value > rule.clearsAt ? { ...before, value } : { ...before, value, state: 'ok', sinceMs: null }
  }
  if (value <= rule.threshold) return { ...before, value, state: 'ok', sinceMs: null }

  // A clock that was set back begins anew.
  const sinceMs = Math.min(before.sinceMs ?? nowMs, nowMs)
  if (nowMs - sinceMs < rule.forSeconds * 1000) return { ...before, value, state: 'pending', sinceMs }
  return { ...before, value, state: 'firing', sinceMs, episodeMs: toEpisodeMs(sinceMs, before.episodeMs) }
}

const YOUNG_MS = 3_600_000

function isYoung({ episodeMs }: AlertState, nowMs: number): boolean {
  return episodeMs !== null && nowMs - episodeMs < YOUNG_MS
}
