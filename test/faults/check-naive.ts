import type { Violation } from './checker.ts'
import type { HistoryLine } from './history.ts'
import type { System } from './system.ts'

/** Judges a naive consumer by the same history: what is lost, what is there twice. */
export async function checkNaive({ database }: System, lines: readonly HistoryLine[]): Promise<Violation[]> {
  const rows = await database.sql`SELECT topic, ref, count(*)::int AS count FROM naive_effects GROUP BY topic, ref`
  const counts = new Map(rows.map(({ topic, ref, count }) => [`${topic}/${ref}`, count as number]))
  const violations: Violation[] = []
  for (const line of lines) {
    if (line.from !== 'http') continue
    const name = `${line.topic}/${line.ref}`
    const count = counts.get(name) ?? 0
    if (line.outcome.kind === 'acked' && count === 0)
      violations.push({ invariant: 'I1', anomaly: 'lost-write', text: `${name} has no effect`, lines: [line] })
    if (count > 1)
      violations.push({ invariant: 'I2', anomaly: 'duplicate', text: `${name} has ${count} effects`, lines: [line] })
  }
  return violations
}
