import type { Logger } from 'pino'
import { lockRecent, type Runs, writeRecent } from '../db/queries/flood.ts'
import type { WriteTransaction } from '../db/write-transaction.ts'
import type { Dead } from '../sdk/settle-record.ts'
import type { Brake } from './brake.ts'
import { nameOf } from './dead-letter.ts'
import { runnerErrors } from './errors.ts'
import { isParked } from './parking.ts'
import type { DeadRecord } from './settled.ts'

/** So many records are looked at, and so many of them must have been seen. */
const WINDOW = 1_000
const LOTS = 16

/** Stops a function whose records die for one reason, before its topic is a heap of dead letters. */
export interface FloodBreaker {
  /**
   * Counts what a transaction settles, in that transaction; costs nothing while no record dies.
   *
   * @param dead those that are new
   * @throws SMG_RUNNER_FLOOD when more than half of the last 1,000 died of one reason: then nothing is settled
   */
  check(tx: WriteTransaction, records: number, dead: readonly DeadRecord[]): Promise<void>
  /** After a commit: the first one after a stop decides whether the function goes on. */
  committed(): Promise<void>
  /** Stops the function for every runner of its group, because of what `check` threw; gives what to do about it. */
  trip(error: unknown): Promise<string>
}

interface FloodDependencies {
  readonly groupId: string
  readonly topic: string
  readonly brake: Brake
  /** Notes in PostgreSQL that the group is stopped, and why. */
  readonly writeStop: (stop: { reason: string; text: string }) => Promise<void>
  /** Notes that the function goes on after its first record. */
  readonly writeGo: () => Promise<void>
  readonly log: Logger
}

/**
 * Builds the breaker of one function. The count of its dead is in PostgreSQL, by group, so that neither a restart nor
 * another runner begins a new one; records that did not die, of all its runners, are added to it when the next one does.
 *
 * After a stop the function goes on with a single record. It is settled whatever becomes of it, so that each resuming
 * moves by one; if it died of the same reason, the function is stopped again.
 */
export function createFloodBreaker(dependencies: FloodDependencies): FloodBreaker {
  const { groupId, topic, brake, writeStop, writeGo, log } = dependencies
  let probeDiedOf: string | null = null
  let isUnreadable = false

  async function stop(reason: string, text: string): Promise<string> {
    await writeStop({ reason, text })
    brake.set('stopped', text)
    return text
  }

  return {
    async check(tx, records, dead) {
      const reasons = dead.flatMap(({ reason }) => (isParked(reason) ? [] : toReason(reason)))
      // Of any of its partitions: one that settles a good record does not speak for the others.
      if (brake.mode() === 'probe') probeDiedOf ??= reasons.at(-1) ?? null
      if (reasons.length === 0) return

      const { recent, settled, isStopped } = await lockRecent(tx.query, { groupId, topic })
      const alive = records - dead.length
      // From the counters of the group: who owns a partition of bad records sees nothing of the good ones elsewhere.
      const others = Math.max(0, settled - recent.counted)
      const next = addRuns(recent.runs, [[null, others], ...toRuns(alive, reasons)])
      // Stopped or paused since this transaction began: it is judged like any other.
      if (brake.mode() !== 'probe') {
        const worst = findWorst(next)
        if (worst?.reason.startsWith('decode')) warnOfUnreadable(worst)
        else if (worst) throw toFlood(worst.reason, worst.count)
        else isUnreadable = false
        // Another runner of the group stopped it: this one does not go on alone.
        if (isStopped) throw toFlood(reasons.at(-1) as string, reasons.length)
      }
      // Those of this transaction reach the counters with its end.
      await writeRecent(tx.query, { groupId, topic }, { counted: settled + alive, runs: next })
    },

    async committed() {
      if (brake.mode() !== 'probe') return
      const diedOf = probeDiedOf
      probeDiedOf = null
      if (diedOf !== null && diedOf === brake.reason()) {
        await stop(diedOf, `stopped again, the first record after the stop died of the same reason: ${diedOf}`)
        return
      }
      await writeGo()
      brake.set('free')
    },

    async trip(error) {
      const { reason, message } = error as Error & { reason: string }
      log.error({ reason }, message)
      return stop(reason, message)
    }
  }

  // One foreign writer must not stop all good ones: its records are dead letters, and someone is told once.
  function warnOfUnreadable({ reason, count }: { reason: string; count: number }) {
    if (!isUnreadable) log.error({ reason, count }, `${count} of the last ${WINDOW} records cannot be read`)
    isUnreadable = true
  }
}

/** Why a record died, without what differs from record to record. */
function toReason({ stage, error }: Dead): string {
  const faults = (error as { faults?: readonly { path: string }[] } | null | undefined)?.faults
  const path = Array.isArray(faults) ? (faults[0]?.path ?? '') : ''
  return [stage, nameOf(error), path].filter(Boolean).join(' ').slice(0, 200)
}

/** Whether a transaction was refused by the breaker. */
export function isFlood(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'SMG_RUNNER_FLOOD'
}

function toFlood(reason: string, count: number): Error {
  return Object.assign(new runnerErrors.SMG_RUNNER_FLOOD(String(count), String(WINDOW), reason), { reason })
}

/**
 * What a transaction settled, as runs: its dead spread over its records, in a few lots. In one lot at the end, the part of
 * a transaction that the window reaches back to would look worse than the whole.
 */
function toRuns(alive: number, reasons: readonly string[]): Runs {
  const lots = Math.min(LOTS, reasons.length)
  return Array.from({ length: lots }, (_, lot) => {
    const share = (count: number) => [Math.floor((count * lot) / lots), Math.floor((count * (lot + 1)) / lots)] as const
    const [from, to] = share(alive)
    return [[null, to - from] as const, ...reasons.slice(...share(reasons.length)).map(reason => [reason, 1] as const)]
  }).flat()
}

function addRuns(before: Runs, added: Runs): Runs {
  const runs: [string | null, number][] = []
  for (const [reason, count] of [...before, ...added]) {
    const last = runs.at(-1)
    if (count <= 0) continue
    if (last && last[0] === reason) last[1] += count
    else runs.push([reason, count])
  }
  let excess = runs.reduce((sum, [, count]) => sum + count, 0) - WINDOW
  while (excess > 0) {
    const first = runs[0] as [string | null, number]
    const taken = Math.min(excess, first[1])
    first[1] -= taken
    excess -= taken
    if (first[1] === 0) runs.shift()
  }
  return runs
}

function findWorst(recent: Runs): { reason: string; count: number } | null {
  const counts = new Map<string, number>()
  let seen = 0
  for (const [reason, count] of recent) {
    seen += count
    if (reason !== null) counts.set(reason, (counts.get(reason) ?? 0) + count)
  }
  const [reason, count] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? ['', 0]
  return seen >= WINDOW && count > WINDOW / 2 ? { reason, count } : null
}
