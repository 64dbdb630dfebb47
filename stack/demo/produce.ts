import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAsides } from './asides.ts'
import { type Client, createClient, type Exchange } from './client.ts'
import { createIntake } from './intake.ts'
import { createLatencies, type LatencyView } from './latencies.ts'
import { createMeters } from './meters.ts'
import { createPace, createRate, toPeriods } from './pace.ts'
import { createVisibilitySampler } from './sample-visibility.ts'
import { createSender } from './sender.ts'
import { createTally, type DemoTopic, type Tally } from './tally.ts'
import { createThresholdWatch, THRESHOLDS } from './thresholds.ts'

export interface ProductionOptions {
  readonly gatewayUrl: string
  readonly token: string | null
  /** Events a second. */
  readonly rate: number
  /** Of the measurements: this machine. */
  readonly source: string
  /** Of the activities: this run. */
  readonly session: string
}

/** What is known while events are produced. */
export interface ProductionView {
  readonly tally: Tally
  /** Of the last five seconds. */
  readonly acceptedPerSecond: number
  /** Records that are not settled yet; null before the first answer, and when the last was none. */
  readonly lag: number | null
  readonly visible: LatencyView
}

const TICK_MS = { single: 10, batch: 100 }
const ASK_FOR_NOTHING_MS = 10_000
const RATE_WINDOW_MS = 5_000

const PACED: readonly DemoTopic[] = ['system-metrics', 'notifications']
// A request that was made is an activity: sent one by one, each would bring the next, without an end.
const REPORTS: readonly DemoTopic[] = ['user-activities', 'error-logs']

/** Builds what measures and sends. `client` may be used before, and after; its requests are events only while it runs. */
export function createProduction({ gatewayUrl, token, rate, source, session }: ProductionOptions) {
  const { isBatch, tickMs, reportMs, sampleMs } = toPeriods(rate, TICK_MS)
  const fatal = new AbortController()
  const onFatal = (error: unknown) => fatal.abort(error)
  const tally = createTally()
  const latencies = createLatencies()
  const accepted = createRate(RATE_WINDOW_MS, performance.now())
  let report: (exchange: Exchange) => void = () => undefined
  let lag: number | null = null

  const client = createClient({ gatewayUrl, token, onExchange: exchange => report(exchange) })
  const sampler = createVisibilitySampler({ client, latencies, gapMs: sampleMs, onFatal })
  const sender = createSender({
    client,
    tally,
    onFatal,
    onAccepted(event) {
      accepted.add(1, performance.now())
      if (event.topic === 'system-metrics') sampler.offer(event)
    }
  })
  const asides = createAsides(
    [
      { everyMs: reportMs, run: async () => sender.flush(REPORTS, { isBatch: true }) },
      { everyMs: reportMs, run: readLag },
      { everyMs: ASK_FOR_NOTHING_MS, run: () => askForNothing(client) }
    ],
    onFatal
  )

  return { client, tally, run, view }

  /**
   * Measures and sends for `totalMs` or until `stop`; resolves when all that was begun has its answer.
   *
   * @throws SMG_DEMO_NO_ACCESS
   */
  async function run(totalMs: number, stop: AbortSignal, onTick: () => void): Promise<void> {
    const startMs = performance.now()
    const meters = createMeters()
    const pace = createPace(rate, startMs)
    const findCrossing = createThresholdWatch(THRESHOLDS)
    const maxWaiting = Math.max(1_000, rate)
    const intake = createIntake({ sender, meters, pace, findCrossing, source, session, maxWaiting })
    const end = AbortSignal.any([stop, fatal.signal])

    report = intake.report
    while (!end.aborted && performance.now() - startMs < totalMs) {
      await intake.measure()
      sender.flush(PACED, { isBatch })
      asides.begin(performance.now() - startMs)
      onTick()
      await sleep(tickMs, undefined, { signal: end }).catch(() => undefined)
    }
    // The requests from here on are nobody's activity: their events would be requests again.
    report = () => undefined
    meters.close()
    await Promise.all([sampler.settled(), asides.settled(), sender.drain()])
    fatal.signal.throwIfAborted()
  }

  function view(): ProductionView {
    return { tally, acceptedPerSecond: accepted.perSecond(performance.now()), lag, visible: latencies.read() }
  }

  async function readLag() {
    const { status, body } = await client({ method: 'GET', route: '/api/topics' })
    const { items = [] } = (body ?? {}) as { items?: readonly { lag: number }[] }
    lag = status === 200 ? items.reduce((sum, topic) => sum + topic.lag, 0) : null
  }
}

/** Asks for an event that is not there: a failure that really happens. */
async function askForNothing(client: Client) {
  await client({ method: 'GET', route: '/api/messages/{id}', path: `/api/messages/${randomUUID()}` })
}
