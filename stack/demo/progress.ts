import type { LatencyView } from './latencies.ts'
import type { Counts } from './tally.ts'

/** What there is to tell while the demo runs. */
export interface ProgressView {
  readonly elapsedMs: number
  readonly totalMs: number
  readonly counts: Readonly<Counts>
  readonly acceptedPerSecond: number
  /** Records that are not settled yet; null when the gateway does not tell. */
  readonly lag: number | null
  readonly visible: LatencyView
}

const BAR_WIDTH = 30
const REDRAW_MS = 200
const LINE_MS = 5_000

/** Builds the progress: lines of its own that are drawn again on a terminal, a line every 5 s elsewhere. */
export function createProgress({ write, isTerminal }: { write: (text: string) => void; isTerminal: boolean }) {
  const periodMs = isTerminal ? REDRAW_MS : LINE_MS
  let nextMs = isTerminal ? 0 : LINE_MS
  let drawn = 0

  return {
    /** Draws if it is time to. */
    show(elapsedMs: number, toView: () => ProgressView) {
      if (elapsedMs < nextMs) return
      nextMs = (Math.floor(elapsedMs / periodMs) + 1) * periodMs
      draw(toView())
    },
    /** Draws the last state once more, where it can replace the one before. */
    finish(view: ProgressView) {
      if (isTerminal) draw(view)
    }
  }

  function draw(view: ProgressView) {
    const lines = isTerminal ? toLines(view) : [toLine(view)]
    // Up over what was drawn before, each line cleared to its end.
    const up = isTerminal && drawn > 0 ? `\u001b[${drawn}A` : ''
    write(`${up}${lines.map(line => (isTerminal ? `\u001b[2K${line}\n` : `${line}\n`)).join('')}`)
    drawn = lines.length
  }
}

/** Gives the progress as lines for a terminal. */
function toLines(view: ProgressView): string[] {
  const { elapsedMs, totalMs, counts } = view
  const share = Math.min(1, elapsedMs / totalMs)
  const filled = Math.round(share * BAR_WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
  const accepted = `accepted ${counts.accepted} (${view.acceptedPerSecond.toFixed(1)}/s)`
  return [
    `  ${bar}  ${toSeconds(Math.min(elapsedMs, totalMs))} of ${toSeconds(totalMs)} s`,
    `  ${accepted}   refused ${counts.refused}${toUnclear(counts)}   lag ${view.lag ?? '?'}`,
    `  POST → visible ${toLatency(view.visible)}`
  ]
}

/** Gives the progress as one line. */
export function toLine(view: ProgressView): string {
  const { counts, lag, visible } = view
  const rate = view.acceptedPerSecond.toFixed(1)
  return (
    `${toSeconds(view.elapsedMs)} s  accepted ${counts.accepted} (${rate}/s)  refused ${counts.refused}` +
    `${toUnclear(counts)}  lag ${lag ?? '?'}  POST → visible ${toLatency(visible)}`
  )
}

/** Gives latencies as text. */
export function toLatency({ count, p50Ms, p99Ms }: LatencyView): string {
  if (p50Ms === null || p99Ms === null) return 'not measured yet'
  return `p50 ${Math.round(p50Ms)} ms, p99 ${Math.round(p99Ms)} ms (n = ${count})`
}

function toUnclear({ unclear }: Readonly<Counts>): string {
  return unclear > 0 ? `  unclear ${unclear}` : ''
}

function toSeconds(ms: number): string {
  return String(Math.floor(ms / 1_000))
}
