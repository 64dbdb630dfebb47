import { hostname } from 'node:os'
import { createProduction } from './produce.ts'
import { createProgress } from './progress.ts'
import { toSummary } from './summary.ts'
import { sumTally, toArrival } from './tally.ts'
import { readFirst, waitForArrival } from './totals.ts'

export interface DemoDependencies {
  readonly gatewayUrl: string
  readonly token: string | null
  /** Events a second. */
  readonly rate: number
  readonly seconds: number
  readonly write: (text: string) => void
  readonly isTerminal: boolean
  /** Ends the measuring early; what was accepted is waited for. */
  readonly stop: AbortSignal
  /** Ends the waiting. */
  readonly giveUp: AbortSignal
}

/**
 * Measures and sends at the wanted rate until its time is over, waits for the arrivals, and writes the summary.
 *
 * @returns how many accepted events did not arrive
 * @throws SMG_DEMO_NO_GATEWAY | SMG_DEMO_NO_ACCESS
 */
export async function runDemo(options: DemoDependencies): Promise<number> {
  const { gatewayUrl, rate, seconds, stop, giveUp, write } = options
  const [source, session] = [hostname().slice(0, 128), `demo-${process.pid}`]
  const { client, tally, run, view } = createProduction({ ...options, source, session })
  const progress = createProgress(options)

  const before = await readFirst(client, gatewayUrl)
  const startMs = performance.now()
  const elapsedMs = () => performance.now() - startMs
  const toView = () => ({ ...view(), elapsedMs: elapsedMs(), totalMs: seconds * 1_000, counts: sumTally(tally) })

  await run(seconds * 1_000, stop, () => progress.show(elapsedMs(), toView))
  const ranMs = elapsedMs()
  const after = await waitForArrival(client, {
    // What lagged at the start arrives too, and must not stand for what was sent since.
    isComplete: ({ totals, lag }) =>
      toArrival(tally, before.totals, totals).missing === 0 && (lag === 0 || before.lag === 0),
    onLook: ({ lag }) => progress.show(elapsedMs(), () => ({ ...toView(), lag })),
    giveUp
  })
  progress.finish({ ...toView(), lag: after?.lag ?? null })

  const arrival = after && toArrival(tally, before.totals, after.totals)
  const lag = after?.lag ?? null
  const { visible } = view()
  write(toSummary({ elapsedMs: ranMs, rate, tally, arrival, lag, visible, gatewayUrl, source, session }))
  return arrival?.missing ?? sumTally(tally).accepted
}
