import { setTimeout as sleep } from 'node:timers/promises'
import type { Exit, Running } from '../stack/launch.ts'
import { readMemory, startCpuMeter, toGoneReason } from './cpu.ts'

/** What one process did with the events of one run. */
export interface Drained {
  readonly eventsPerSecond: number
  /** CPU microseconds an event, of each side. */
  readonly cpu: { readonly self: number; readonly postgres: number; readonly kafka: number }
  readonly maxMemoryBytes: number
  /** Why the run does not count, and no figure means anything; null when every event is there once. */
  readonly void: string | null
}

/** How to see what has become of the events of a run. */
export interface RowLooks {
  /** How many there are. */
  readonly events: number
  /** Whether both tables have rows of each topic: who writes them apart has two starts, and neither is measured. */
  haveStarted(): Promise<boolean>
  /** Events in both tables; one that is in one of them is half. */
  count(): Promise<number>
  /** Whether all are there. Cheap to ask. */
  areDone(): Promise<boolean>
  /** What is missing or doubled; null when every event is there once. */
  findFlaw(): Promise<string | null>
}

interface Run {
  readonly running: Pick<Running, 'pid' | 'ended'>
  /** The other processes whose time is taken. */
  readonly pids: { readonly kafka: number; readonly postgres: number }
  readonly timeoutMs?: number
}

const POLL_MS = 50
const TIMEOUT_MS = 600_000
const NOTHING = { eventsPerSecond: 0, cpu: { self: 0, postgres: 0, kafka: 0 }, maxMemoryBytes: 0 }

/**
 * Waits for the rows of a process, from the first that is visible to the last, so that its start is not measured: the
 * rows of the first look are not counted. Void at once when the process ends before.
 */
export async function measureDrain(rows: RowLooks, { running, pids, timeoutMs = TIMEOUT_MS }: Run): Promise<Drained> {
  const pid = running.pid ?? 0
  const untilMs = performance.now() + timeoutMs
  let exit: Exit | null = null
  void running.ended.then(ended => {
    exit = ended
  })

  const early = await waitFor(rows.haveStarted)
  if (early) return { ...NOTHING, void: early }
  const [readCpu, startedMs] = [startCpuMeter({ self: pid, ...pids }), performance.now()]
  const counted = rows.events - (await rows.count())
  let maxMemoryBytes = 0
  const late = await waitFor(() => {
    maxMemoryBytes = Math.max(maxMemoryBytes, readMemory(pid))
    return rows.areDone()
  })
  if (late) return { ...NOTHING, void: late }

  const [used, tookMs] = [readCpu(), performance.now() - startedMs]
  const { self = 0, postgres = 0, kafka = 0 } = used.own
  return {
    eventsPerSecond: (counted / tookMs) * 1000,
    cpu: { self: self / counted, postgres: postgres / counted, kafka: kafka / counted },
    maxMemoryBytes,
    void: toGoneReason(used) ?? toShortReason(counted) ?? (await rows.findFlaw())
  }

  /** Gives why it will not come true, or null when it has. */
  async function waitFor(isTrue: () => Promise<boolean>): Promise<string | null> {
    while (!(await isTrue())) {
      if (exit) return `its process ended (${exit.reason}): ${exit.lastWords}`
      if (performance.now() > untilMs) return `not drained after ${timeoutMs / 1000} s`
      await sleep(POLL_MS)
    }
    return null
  }
}

function toShortReason(counted: number): string | null {
  return counted > 0 ? null : 'all events were there at the first look: offer more of them'
}
