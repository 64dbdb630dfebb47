import { createMeasures } from '../../gateway/metrics/measures.ts'
import { createMinuteStats } from '../../gateway/minute-stats.ts'
import { createMetrics } from '../../runner/metrics.ts'
import { timeHandle } from '../../runner/time-handle.ts'
import type { LoadedFunction } from '../../sdk/types.ts'
import { compareGateways, compareRunners } from '../compare-metrics.ts'
import { toCount } from '../options.ts'
import { type Measurement, summarise, toTable } from '../report.ts'
import type { Bench, Values } from '../types.ts'

const TOPIC = 'user-activities'
const GROUP = 'smg.user-activities'

/**
 * What metrics cost: the time of every call that one unit of work makes for them, in this process and without anything else;
 * and gateway and runner beside builds out of which they were taken.
 */
export const metricsBench: Bench = {
  options: {
    calls: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '64' },
    events: { type: 'string', default: '100000' }
  },

  async run(servers, values) {
    const calls = timeUnits(values)
    const requests = await compareGateways(servers, values)
    const records = await compareRunners(servers, values)
    return {
      text: [toTable(calls.summaries), NOTE, requests.text, records.text].join('\n'),
      data: { calls, requests: requests.data, records: records.data },
      isVoid: requests.isVoid || records.isVoid
    }
  }
}

const NOTE = 'Hold them against the µs of CPU a request, an event and a record:'

function timeUnits(values: Values) {
  const [calls, rounds] = [toCount(values, 'calls'), toCount(values, 'rounds')]
  const measurements: Measurement[] = []
  // The first round warms everything up, and does not count.
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, call] of Object.entries(toUnits())) {
      const measurement = { name, round, figures: { 'ns each': timeCalls(call, calls) }, void: null }
      if (round > 0) measurements.push(measurement)
    }
  }
  return { summaries: summarise(measurements), measurements }
}

function toUnits(): Record<string, (index: number) => void> {
  const measures = createMeasures()
  const minutes = createMinuteStats(() => performance.now())
  const { openProcessSeconds, consumed, count, cycleRecords } = createMetrics()
  const labels = { messaging_destination_name: TOPIC, messaging_consumer_group_name: GROUP }
  const handle = (input: unknown) => input
  const timed = timeHandle({ handle } as unknown as LoadedFunction, openProcessSeconds(labels))
  const tally = { messages: 500, rows: 500, deadLetters: 0, duplicates: 0, lastMessageMs: null }

  return {
    'gateway: a request': index => {
      const durationMs = index % 50
      minutes.record({ atMs: performance.now(), durationMs, isError: false })
      measures.onRequest('POST', '/api/produce/user-activities', 202, durationMs / 1000)
      measures.onSent(TOPIC, '')
    },
    'gateway: an event of a batch': () => measures.onSent(TOPIC, ''),
    'gateway: a send': index =>
      measures.onSend({ records: index % 500, bytes: index % 90_000, durationMs: index % 20, failure: null }),
    'runner: a record': index => void timed.handle?.(index as never, undefined as never),
    'runner: a partition of a cycle': () => {
      consumed.inc(labels, 500)
      cycleRecords.observe({ topic: TOPIC }, 500)
      count(TOPIC, tally, 500)
    }
  }
}

/** Nanoseconds of CPU a call: a machine that is busy with something else makes no call dearer. */
function timeCalls(call: (index: number) => void, calls: number): number {
  const before = process.cpuUsage()
  for (let index = 0; index < calls; index += 1) call(index)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / calls
}
