import type { LatencyView } from './latencies.ts'
import { toLatency } from './progress.ts'
import { type Arrival, sumTally, type Tally, TOPICS } from './tally.ts'

export interface SummaryView {
  readonly elapsedMs: number
  /** Events a second that were asked for. */
  readonly rate: number
  readonly tally: Tally
  /** Null when the gateway did not tell. */
  readonly arrival: Arrival | null
  /** Records that are not settled yet; null when the gateway did not tell. */
  readonly lag: number | null
  readonly visible: LatencyView
  readonly gatewayUrl: string
  /** Of the measurements, and of the activities. */
  readonly source: string
  readonly session: string
}

const WIDTHS = [-17, 9, 8, 8, 8]

/** Gives the text that ends a run. */
export function toSummary(view: SummaryView): string {
  const { elapsedMs, rate, tally, arrival, lag, visible, gatewayUrl, source, session } = view
  const rows = TOPICS.map(topic => {
    const { accepted, refused, unclear } = tally[topic]
    return [topic, accepted, refused, unclear, arrival?.arrived[topic] ?? '?']
  })
  const all = sumTally(tally)
  const arrived = arrival ? Object.values(arrival.arrived).reduce((sum, count) => sum + count, 0) : '?'
  const table = [
    ['', 'accepted', 'refused', 'unclear', 'arrived'],
    ...rows,
    ['together', all.accepted, all.refused, all.unclear, arrived]
  ]
  const perSecond = (all.accepted / Math.max(1, elapsedMs)) * 1_000

  return `
The demo ran ${(elapsedMs / 1_000).toFixed(1)} s: ${perSecond.toFixed(1)} accepted events a second, of ${rate} asked for.

${table.map(toRow).join('\n')}

${toVerdict(arrival, { surplus: Number(arrived) - all.accepted, lag })}
POST → visible: ${toLatency(visible)}.

See   curl '${gatewayUrl}/api/metrics?source=${encodeURIComponent(source)}&limit=5'
      curl '${gatewayUrl}/api/user-activities?userId=${encodeURIComponent(session)}&limit=5'
`
}

function toVerdict(arrival: Arrival | null, { surplus, lag }: { surplus: number; lag: number | null }): string {
  if (!arrival) return 'What arrived is not known: the gateway gives no totals.'
  const { missing, deadLetters } = arrival
  const dead = deadLetters > 0 ? ` ${deadLetters} became dead letters: see /api/dead-letters.` : ''
  if (missing > 0 && lag !== 0) {
    return `NOT THERE YET: ${missing} accepted events; ${lag ?? 'some'} records are not settled, see /api/topics.${dead}`
  }
  if (missing > 0) return `MISSING: ${missing} accepted events have not arrived.${dead}`
  const more = surplus > 0 ? ` ${surplus} more came from elsewhere, or are unclear above.` : ''
  return `Nothing is missing: every accepted event has arrived.${more}${dead}`
}

function toRow(cells: readonly (string | number)[]): string {
  return `  ${cells
    .map((cell, index) => {
      const width = WIDTHS[index] ?? 0
      return width < 0 ? String(cell).padEnd(-width) : String(cell).padStart(width)
    })
    .join(' ')}`.trimEnd()
}
