import type { Logger } from 'pino'
import { databaseFault } from '../db/database-fault.ts'
import type { TransactionLimits } from '../db/write-transaction.ts'
import type { Memory } from './attempt-in-transaction.ts'
import type { Gate } from './gate.ts'
import { logDead, logResolved } from './log-records.ts'
import type { RunnerMetrics } from './metrics.ts'
import { createPatience, pause, RETRY_OURS_MS } from './patience.ts'
import { createRedriveBatch, type RedriveBatchDependencies, type Redriven } from './redrive-batch.ts'
import type { HeldTurn, Turn } from './turn.ts'
import { createWakeUp } from './wake-up.ts'
import type { WriterPool } from './writer-pool.ts'

const STOP_MS = 1_000
/** A letter whose turn has come, and which another runner holds, is looked at again after so long. */
const HELD_MS = 50
/** So long a letter that goes alone keeps its turn before its next attempt, unless somebody waits for it. */
const KEEP_TURN_MS = 5_000

/** Sends dead letters of one function through it again, those that somebody asked for. */
export interface Redriver {
  readonly groupId: string
  start(): void
  /** There is something to redrive. */
  wake(): void
  /** Begins nothing new; resolves when the transaction that is open has ended. */
  stop(): Promise<void>
}

export interface RedriverDependencies extends RedriveBatchDependencies {
  readonly pool: WriterPool
  /** Of all functions of the process: attempts that are waiting for something. */
  readonly gate: Gate
  readonly turn: Turn
  readonly limits: TransactionLimits
  readonly metrics: RunnerMetrics
  /** An operator paused the function. */
  readonly isPaused: () => boolean
  readonly log: Logger
}

/**
 * Builds the redriver of a function. Every runner has one: the locks of the rows decide who takes which key, and who is
 * killed leaves what it had to the others. What waits for its next attempt is remembered here, and no transaction waits
 * with it.
 */
export function createRedriver(dependencies: RedriverDependencies): Redriver {
  const { pool, gate, turn, limits, trials, metrics, isPaused, write, log } = dependencies
  const memories = new Map<string, Memory>()
  const runBatch = createRedriveBatch(dependencies)
  const changed = createWakeUp()
  const stopping = new AbortController()
  const patience = createPatience()
  let loop: Promise<void> | null = null

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (isPaused()) await changed.wait()
      else if (!(await runOnce())) await changed.wait(nextAttemptMs())
    }
  }

  /** Gives whether anything was done: then there may be more. */
  async function runOnce(): Promise<boolean> {
    try {
      const { isDone, suspects } = await runMany()
      if (isDone) return true
      let isAnyDone = false
      for (const id of suspects) isAnyDone = (await runAlone(id)) || isAnyDone
      return isAnyDone
    } catch (error) {
      await recover(error)
      return !stopping.signal.aborted
    }
  }

  async function runMany(): Promise<{ isDone: boolean; suspects: readonly string[] }> {
    // Like any record that nobody suspects, but it can wait while one that somebody does is handled alone.
    const leave = await turn.pass(stopping.signal)
    try {
      return await runTransaction(null)
    } finally {
      leave()
    }
  }

  /** Handles one at which a process may have ended, while nothing else runs at which one may have. */
  async function runAlone(id: string): Promise<boolean> {
    const wanted = new AbortController()
    const held = await turn.take(stopping.signal, () => wanted.abort())
    if (!held) return false
    try {
      const { isDone } = await runTransaction(id)
      // An attempt that ran out of time may still run, and end the process yet.
      if (memories.has(id)) await keepTurn(held, AbortSignal.any([wanted.signal, stopping.signal]), memories.get(id))
      return isDone
    } finally {
      await takeBack({ only: id })
      held.end()
    }
  }

  async function keepTurn(held: HeldTurn, signal: AbortSignal, memory: Memory | undefined): Promise<void> {
    const ms = Math.min(KEEP_TURN_MS, (memory?.notBeforeMs ?? 0) - performance.now())
    if (ms > 0 && !held.isWanted()) await pause(ms, signal)
  }

  async function runTransaction(alone: string | null): Promise<{ isDone: boolean; suspects: readonly string[] }> {
    // It may have waited long for its turn.
    if (stopping.signal.aborted || isPaused()) return { isDone: false, suspects: [] }
    try {
      const redriven = await pool.transaction(tx => runBatch(tx, memories, alone), limits, gate)
      trials.onCommitted(redriven.ended)
      patience.reset()
      for (const id of [...redriven.resolved, ...redriven.failed, ...redriven.ended]) memories.delete(id)
      for (const [id, memory] of redriven.waiting) memories.set(id, memory)
      return { isDone: report(redriven), suspects: redriven.suspects }
    } catch (error) {
      const { code, memory, deadLetterId } = error as { code?: unknown; memory?: Memory; deadLetterId?: string }
      const isAbandoned = code === 'SMG_RUNNER_ABANDONED' && memory !== undefined && deadLetterId !== undefined
      if (alone === null) await takeBack(isAbandoned ? { except: deadLetterId } : {})
      if (!isAbandoned) throw error
      memories.set(deadLetterId, memory)
      return { isDone: true, suspects: [] }
    }
  }

  /** What could not be taken back stays this process's own; another runner may handle it alone for nothing. */
  async function takeBack(which: Parameters<typeof trials.takeBack>[0]): Promise<void> {
    await trials.takeBack(which).catch(error => log.debug({ err: error }, 'what was noted could not be taken back'))
  }

  function report({ resolved, resolvedRecords, failed, dead, waiting, tally }: Redriven): boolean {
    logResolved(log, resolvedRecords)
    logDead(log, dead)
    if (resolved.length + failed.length > 0) {
      metrics.count(write.topic, tally, 0)
      metrics.redriven.inc({ topic: write.topic, result: 'resolved' }, resolved.length)
      metrics.redriven.inc({ topic: write.topic, result: 'dead' }, failed.length)
      log.info({ resolved: resolved.length, dead: failed.length }, 'dead letters were redriven')
    }
    return resolved.length + failed.length + waiting.size > 0
  }

  async function recover(error: unknown): Promise<void> {
    if (databaseFault(error) === 'world' || stopping.signal.aborted) {
      if (patience.failingMs() === 0) log.warn({ err: error }, 'PostgreSQL cannot be written to: the redrive waits')
      return patience.wait(stopping.signal)
    }
    log.error({ err: error }, `the redrive needs someone to act: it is tried again every ${RETRY_OURS_MS / 1000} s`)
    await pause(RETRY_OURS_MS, stopping.signal)
  }

  function nextAttemptMs(): number | undefined {
    const next = [...memories.values()].map(({ notBeforeMs }) => notBeforeMs)
    if (next.length === 0) return undefined
    const ms = Math.min(...next) - performance.now()
    return ms > 0 ? ms : HELD_MS
  }

  return {
    groupId: write.groupId,
    start() {
      loop = run()
    },
    wake: changed.wake,
    async stop() {
      stopping.abort()
      changed.wake()
      // One that gets no answer is given up: its connection goes with the process, and PostgreSQL rolls it back.
      const limit = new AbortController()
      await Promise.race([loop, pause(STOP_MS, limit.signal)])
      limit.abort()
      // Nor does what runs count as the end of a process: this one was asked to end.
      const released = new AbortController()
      await Promise.race([takeBack({}), pause(STOP_MS, released.signal)])
      released.abort()
    }
  }
}
