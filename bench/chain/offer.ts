import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { toCpuFigures } from '../cells.ts'
import { type CpuUse, startCpuMeter, toGoneReason } from '../cpu.ts'
import { ANSWER_FIELDS, type LoadResult } from '../load/plan.ts'
import { runLoad, writeRequests } from '../load/run-load.ts'
import { machineMs } from '../machine-clock.ts'
import { toQuantiles } from '../quantiles.ts'
import type { Measurement } from '../report.ts'
import { makeBatches, makeSingles } from '../workload.ts'
import type { Chain } from './start-chain.ts'
import { type PositionWatch, watchPositions } from './watch-positions.ts'

/** A load at a fixed rate. */
export interface Offer {
  readonly name: string
  readonly round: number
  readonly eventsPerSecond: number
  readonly seconds: number
  /** Events of a request; 1 is the route for single ones. */
  readonly batch: number
}

interface Sent {
  readonly dueMs: number
  readonly answeredMs: number
  /** Null: not seen. */
  readonly visibleMs: number | null
}

interface RowCounts {
  readonly messages: number
  readonly activities: number
}

const CONNECTIONS = 128
const DRAIN_MS = 60_000
const POLL_MS = 50

/**
 * Offers events to a chain and follows each into PostgreSQL: times run from the moment it was due. Void when one failed,
 * or when its row is not there.
 */
export async function offerEvents(chain: Chain, offer: Offer): Promise<Measurement> {
  const { site } = chain.servers
  const answersFile = join(site.dataFolder, 'answers.bin')
  const rowsBefore = await countRows(chain)
  const watch = await watchPositions(chain)
  let readCpu = startChainMeter(chain, watch)

  const result = await runLoad(site, toPlan(chain, offer, answersFile), {
    onBegin: () => {
      readCpu = startChainMeter(chain, watch)
    }
  })
  const events = await follow(answersFile, watch)
  const used = readCpu()
  const cpu = { ...used, own: { ...used.own, generator: (used.own.generator ?? 0) + result.cpuMicroseconds } }
  const seconds = (machineMs() - result.startMs) / 1000
  await watch.stop()

  return {
    name: offer.name,
    round: offer.round,
    figures: {
      ...toTimes(events, offer, result),
      ...toCpuFigures(cpu, { units: events.length, seconds })
    },
    void: result.firstFailure ?? toGoneReason(used) ?? findMissing(events, subtract(await countRows(chain), rowsBefore))
  }
}

function toPlan({ gateway, servers }: Chain, { eventsPerSecond, seconds, batch }: Offer, answersFile: string) {
  const requests = batch === 1 ? makeSingles() : makeBatches(batch)
  return {
    ...{ url: gateway.url, connections: CONNECTIONS, seconds, expectedStatus: 202, answersFile },
    requestsPerSecond: eventsPerSecond / batch,
    requestsFile: writeRequests(servers.site, `requests-${batch}`, requests)
  }
}

/** The generator's share is what looking costs, here and in PostgreSQL, where it is taken off. */
function startChainMeter({ gateway, runner, servers }: Chain, { backendPid }: PositionWatch) {
  const { kafka, postgres } = servers.pids
  const read = startCpuMeter({ gateway: gateway.pid, runner: runner.pid, postgres, kafka, watch: backendPid })
  const own = process.cpuUsage()
  return (): CpuUse => {
    const { own: used, ...others } = read()
    const { watch = 0, postgres: all = 0, ...rest } = used
    const { user, system } = process.cpuUsage(own)
    return { ...others, own: { ...rest, postgres: all - watch, generator: watch + user + system } }
  }
}

/** Reads what the generator learned, and waits until all of it is visible, or for a minute. */
async function follow(answersFile: string, { findVisibleMs }: PositionWatch): Promise<Sent[]> {
  const bytes = readFileSync(answersFile)
  const numbers = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Float64Array.BYTES_PER_ELEMENT)
  const untilMs = machineMs() + DRAIN_MS
  for (const [partition, offset] of findLast(numbers))
    while (findVisibleMs(partition, offset) === null && machineMs() < untilMs) await sleep(POLL_MS)

  return Array.from({ length: numbers.length / ANSWER_FIELDS }, (_, index) => {
    const [dueMs = 0, answeredMs = 0, partition = 0, offset = 0] = numbers.subarray(index * ANSWER_FIELDS)
    return { dueMs, answeredMs, visibleMs: findVisibleMs(partition, offset) }
  })
}

/** The last offset of each partition. */
function findLast(numbers: Float64Array): Map<number, number> {
  const last = new Map<number, number>()
  for (let at = 0; at < numbers.length; at += ANSWER_FIELDS) {
    const [partition, offset] = [numbers[at + 2] as number, numbers[at + 3] as number]
    last.set(partition, Math.max(offset, last.get(partition) ?? 0))
  }
  return last
}

function toTimes(events: readonly Sent[], { seconds }: Offer, { startMs }: LoadResult): Record<string, number> {
  const endMs = startMs + seconds * 1000
  const answered = toQuantiles(events.map(({ answeredMs, dueMs }) => answeredMs - dueMs))
  const visible = toQuantiles(events.flatMap(({ visibleMs, dueMs }) => (visibleMs === null ? [] : [visibleMs - dueMs])))
  const answeredAtEnd = events.filter(({ answeredMs }) => answeredMs <= endMs).length
  const visibleAtEnd = events.filter(({ visibleMs }) => visibleMs !== null && visibleMs <= endMs).length
  return {
    'answered/s': answeredAtEnd / seconds,
    'visible/s': visibleAtEnd / seconds,
    'lag at end': Math.max(0, answeredAtEnd - visibleAtEnd),
    'answer p50 ms': answered.p50,
    'answer p99 ms': answered.p99,
    'answer max ms': answered.max,
    'visible p50 ms': visible.p50,
    'visible p99 ms': visible.p99,
    'visible max ms': visible.max
  }
}

async function countRows({ sql }: Chain): Promise<RowCounts> {
  const [row] = await sql`
    SELECT (SELECT count(*) FROM messages)::int AS messages, (SELECT count(*) FROM user_activities)::int AS activities`
  return { messages: Number(row?.messages), activities: Number(row?.activities) }
}

function subtract(after: RowCounts, before: RowCounts): RowCounts {
  return { messages: after.messages - before.messages, activities: after.activities - before.activities }
}

function findMissing(events: readonly Sent[], rows: RowCounts): string | null {
  const unseen = events.filter(({ visibleMs }) => visibleMs === null).length
  const isWhole = unseen === 0 && rows.messages === events.length && rows.activities === events.length
  return isWhole ? null : `${events.length} events acknowledged, ${unseen} not seen, ${JSON.stringify(rows)} new`
}
