import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAsides } from './asides.ts'
import { type Client, createClient, type Exchange } from './client.ts'
import { createIntake } from './intake.ts'
import { createLatencies } from './latencies.ts'
import { createMeters } from './meters.ts'
import { createPace, createRate, toPeriods } from './pace.ts'
import { createProgress } from './progress.ts'
import { createVisibilitySampler } from './sample-visibility.ts'
import { createSender } from './sender.ts'
import { toSummary } from './summary.ts'
import { createTally, type DemoTopic, sumTally, toArrival } from './tally.ts'
import { createThresholdWatch, THRESHOLDS } from './thresholds.ts'
import { readFirstTotals, waitForTotals } from './totals.ts'

export interface DemoDependencies {
  readonly gatewayUrl: string
  readonly token: string | null
  /** Events a second. */
  readonly rate: number
  readonly seconds: number
  readonly write: (text: string) => void
  readonly isTerminal: boolean
  /** Ends the run early; the summary is given all the same. */
  readonly stop: AbortSignal
}

const TICK_MS = { single: 10, batch: 100 }
const ASK_FOR_NOTHING_MS = 10_000
const RATE_WINDOW_MS = 5_000

const PACED: readonly DemoTopic[] = ['system-metrics', 'notifications']
// A request that was made is an activity: sent one by one, each would bring the next, without an end.
const REPORTS: readonly DemoTopic[] = ['user-activities', 'error-logs']

/**
 * Measures and sends at the wanted rate until its time is over, waits for the arrivals, and writes the summary.
 *
 * @returns how many accepted events did not arrive
 * @throws SMG_DEMO_NO_GATEWAY | SMG_DEMO_NO_ACCESS
 */
export async function runDemo({ rate, seconds, ...options }: DemoDependencies): Promise<number> {
  const totalMs = seconds * 1_000
  const { tickMs, isBatch, reportMs, sampleMs } = toPeriods(rate, TICK_MS)
  const fatal = new AbortController()
  const onFatal = (error: unknown) => fatal.abort(error)
  const stop = AbortSignal.any([options.stop, fatal.signal])
  const [source, session] = [hostname().slice(0, 128), `demo-${process.pid}`]
  const tally = createTally()
  const latencies = createLatencies()
  let report: (exchange: Exchange) => void = () => undefined

  const client = createClient({ ...options, onExchange: exchange => report(exchange) })
  const before = await readFirstTotals(client, options.gatewayUrl)
  const startMs = performance.now()
  const elapsedMs = () => performance.now() - startMs
  const accepted = createRate(RATE_WINDOW_MS, startMs)
  const sampler = createVisibilitySampler({ client, latencies, gapMs: sampleMs, onFatal })
  const lag = createLagReader(client)
  const sender = createSender({
    client,
    tally,
    onFatal,
    onAccepted(event) {
      accepted.add(1, performance.now())
      if (event.topic === 'system-metrics') sampler.offer(event)
    }
  })
  const meters = createMeters()
  const pace = createPace(rate, startMs)
  const findCrossing = createThresholdWatch(THRESHOLDS)
  const maxWaiting = Math.max(1_000, rate)
  const intake = createIntake({ sender, meters, pace, findCrossing, source, session, maxWaiting })
  const asides = createAsides(
    [
      { everyMs: reportMs, run: async () => sender.flush(REPORTS, { isBatch: true }) },
      { everyMs: reportMs, run: lag.read },
      { everyMs: ASK_FOR_NOTHING_MS, run: () => askForNothing(client) }
    ],
    onFatal
  )
  const progress = createProgress(options)

  report = intake.report
  while (elapsedMs() < totalMs && !stop.aborted) {
    await intake.measure()
    sender.flush(PACED, { isBatch })
    asides.begin(elapsedMs())
    progress.show(elapsedMs(), toView)
    await sleep(tickMs, undefined, { signal: stop }).catch(() => undefined)
  }
  const ranMs = elapsedMs()
  // The requests from here on are nobody's activity: their events would be requests again.
  report = () => undefined
  meters.close()
  await Promise.all([sampler.settled(), asides.settled(), sender.drain()])
  fatal.signal.throwIfAborted()

  const after = await waitForTotals(client, totals => toArrival(tally, before, totals).missing === 0)
  await lag.read()
  progress.finish(toView())
  const arrival = after && toArrival(tally, before, after)
  const { gatewayUrl } = options
  options.write(
    toSummary({ elapsedMs: ranMs, rate, tally, arrival, visible: latencies.read(), gatewayUrl, source, session })
  )
  return arrival?.missing ?? sumTally(tally).accepted

  function toView() {
    return {
      elapsedMs: elapsedMs(),
      totalMs,
      counts: sumTally(tally),
      acceptedPerSecond: accepted.perSecond(performance.now()),
      lag: lag.last(),
      visible: latencies.read()
    }
  }
}

function createLagReader(client: Client) {
  let lag: number | null = null

  return {
    /** Of all topics together; null before the first answer, and when the last was none. */
    last: () => lag,
    async read() {
      const { status, body } = await client({ method: 'GET', route: '/api/topics' })
      const { items = [] } = (body ?? {}) as { items?: readonly { lag: number }[] }
      lag = status === 200 ? items.reduce((sum, topic) => sum + topic.lag, 0) : null
    }
  }
}

/** Asks for an event that is not there: a failure that really happens. */
async function askForNothing(client: Client) {
  await client({ method: 'GET', route: '/api/messages/{id}', path: `/api/messages/${randomUUID()}` })
}
