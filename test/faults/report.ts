import type { Violation } from './checker.ts'
import type { ScheduleResult } from './schedule.ts'
import { MEASURED } from './system.ts'

/** One line of a schedule. */
export function toLine(result: ScheduleResult): string {
  const { name, seed, faults, acked, refused, unknown, effects, deadLetters, violations, drainSeconds, seconds } =
    result
  const reasons = Object.entries(result.reasons).map(([reason, count]) => `${count} ${reason}`)
  const missed = result.notInjected.length > 0 ? `NOT INJECTED (${result.notInjected.join('; ')}); ` : ''
  const verdict = violations.length === 0 ? 'ok' : `${violations.length} VIOLATIONS (${countByAnomaly(violations)})`
  const drained =
    drainSeconds === null
      ? 'NOT DRAINED'
      : `drained in ${drainSeconds.toFixed(1)} s, stalled for ${result.stallSeconds.toFixed(1)} s`
  return (
    `${name} seed ${seed} [${faults.join(' + ')}] acked ${acked}, refused ${refused}, unknown ${unknown}${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}; ` +
    `${effects} effects, ${deadLetters} dead; ${drained}; ${missed}${verdict}; ${seconds.toFixed(1)} s`
  )
}

/** What faults measured, when. */
export function toMeasureTexts({ notes }: ScheduleResult): string[] {
  return notes.filter(note => note.includes(` ${MEASURED}`)).map(note => `  ${note}`)
}

const SHOWN = 3

/** The first violations of each kind, with the history around them; the kept folder has all. */
export function toViolationTexts(violations: readonly Violation[]): string[] {
  const seen = new Map<string, number>()
  const shown = violations.filter(({ anomaly }) => {
    const count = (seen.get(anomaly) ?? 0) + 1
    seen.set(anomaly, count)
    return count <= SHOWN
  })
  return shown.map(toViolationText)
}

function toViolationText({ invariant, anomaly, text, lines }: Violation): string {
  return [`  ${invariant} ${anomaly}: ${text}`, ...lines.map(line => `      ${JSON.stringify(line)}`)].join('\n')
}

/** Totals by fault, and of all. */
export function toTable(results: readonly ScheduleResult[]): string {
  const rows = new Map<string, { schedules: number; violations: number }>()
  for (const { faults, violations } of results) {
    for (const fault of faults) {
      const row = rows.get(fault) ?? { schedules: 0, violations: 0 }
      rows.set(fault, { schedules: row.schedules + 1, violations: row.violations + violations.length })
    }
  }
  const sum = (of: (result: ScheduleResult) => number) => results.reduce((total, result) => total + of(result), 0)
  const width = Math.max(5, ...[...rows.keys()].map(({ length }) => length))
  return [
    '',
    `${'fault'.padEnd(width)}  schedules  violations`,
    ...[...rows]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(
        ([fault, { schedules, violations }]) =>
          `${fault.padEnd(width)}  ${String(schedules).padStart(9)}  ${String(violations).padStart(10)}`
      ),
    '',
    `${results.length} schedules, ${sum(({ acked }) => acked)} events acked, ${sum(({ refused }) => refused)} refused, ` +
      `${sum(({ unknown }) => unknown)} unknown, ${sum(({ violations }) => violations.length)} violations, ` +
      `${sum(({ seconds }) => seconds).toFixed(0)} s`
  ].join('\n')
}

function countByAnomaly(violations: readonly Violation[]): string {
  const counts = new Map<string, number>()
  for (const { invariant, anomaly } of violations) {
    const name = `${invariant} ${anomaly}`
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ')
}
