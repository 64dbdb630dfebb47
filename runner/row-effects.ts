import type { Logger } from 'pino'
import { databaseFault, isCancelled, isUnclassified } from '../db/database-fault.ts'
import type { TransactionLimits } from '../db/write-transaction.ts'
import { failpoint } from '../sdk/failpoints.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import { createCancelLimit } from './cancel-limit.ts'
import { createCopyChoice } from './copy-choice.ts'
import type { EffectHooks, Effects } from './effects.ts'
import { findAway } from './find-away.ts'
import { type FloodBreaker, isFlood } from './flood.ts'
import { logCommit } from './log-records.ts'
import type { RunnerMetrics } from './metrics.ts'
import { unparkedKey } from './parking.ts'
import { aborted, createPatience, pause, RETRY_OURS_MS } from './patience.ts'
import { movedPartitions } from './positions-of-cycle.ts'
import { collectShares, createCycleWriter, type Share, toSingle } from './row-cycles.ts'
import { createSettleAhead, type SettleAhead, type SettleAheadDependencies } from './settle-ahead.ts'
import type { Tally, WriteDependencies } from './settled.ts'
import { createWakeUp } from './wake-up.ts'
import type { Care } from './write-entries.ts'
import type { WriterPool } from './writer-pool.ts'

/** Bad rows come in company: so many cycles after one are written in parts. */
const WARY_CYCLES = 20
/** With more in a cycle an INSERT, whose halves are sent ahead, finds them sooner than a COPY that ends at each. */
const MOST_REFUSED = 8

export interface RowEffectsDependencies {
  readonly pool: WriterPool
  readonly limits: TransactionLimits
  readonly write: Omit<WriteDependencies, 'topicIdOf' | 'flood'>
  readonly settleAhead: Omit<SettleAheadDependencies, 'onReady' | 'onAttemptFailed'>
  readonly flood: FloodBreaker
  readonly metrics: RunnerMetrics
  readonly log: Logger
}

/**
 * Builds the effects of a function whose records become rows, or only messages: all partitions are handled ahead in
 * memory, and one loop writes what is ready, in one transaction a cycle.
 */
export function createRowEffects(
  owned: ReadonlyMap<number, AssignedPartition>,
  hooks: EffectHooks,
  { pool, limits, write, settleAhead, flood, metrics, log }: RowEffectsDependencies
): Effects {
  const handled = new Map<number, { owned: AssignedPartition; ahead: SettleAhead }>()
  const work = createWakeUp()
  const ending = new AbortController()
  const patience = createPatience()
  const { brake, hints } = settleAhead
  const writeCycle = createCycleWriter({
    ...write,
    flood,
    topicIdOf: partition => owned.get(partition)?.position.topicId ?? null
  })
  const between: (() => Promise<void>)[] = []
  const cancels = createCancelLimit(settleAhead.definition.options.maxAttempts)
  const copyChoice = createCopyChoice()
  let care: Care = 'none'
  /** Cycles in which refusals are expected, because there was one. */
  let wary = 0
  /** Dead letters of the cycle before. */
  let lastDead = 0
  /** Partitions that met a fault of ours, while it stops the function. */
  const stopped = new Set<number>()
  /** Aborts when all of these are gone. */
  let relief = new AbortController()
  let mustReload = false
  let isStopping = false
  let deadline = Number.POSITIVE_INFINITY
  let loop: Promise<void> | null = null

  async function run(): Promise<void> {
    for (;;) {
      for (const task of between.splice(0)) await task()
      const shares = brake.isHeld() || (isStopping && performance.now() > deadline) ? [] : collect()
      if (shares.length > 0) await runCycle(shares)
      else if (!isStopping) await work.wait()
      else if (performance.now() > deadline || !isBusy()) break
      else await work.wait(20)
    }
    for (const task of between.splice(0)) await task()
  }

  function collect(): readonly Share[] {
    const options = { ordering: write.ordering, records: cancels.records() }
    const shares = cancels.cut(collectShares(handled.values(), options))
    return brake.mode() === 'probe' ? shares.slice(0, 1).map(toSingle) : shares
  }

  function isBusy(): boolean {
    return [...handled.values()].some(({ ahead }) => ahead.isBusy())
  }

  async function runCycle(shares: readonly Share[]): Promise<void> {
    const stopTimer = metrics.cycleSeconds.startTimer({ topic: write.topic })
    const startedMs = performance.now()
    try {
      if (mustReload) {
        await hooks.reload()
        mustReload = false
        // What is in hand may just have been dropped.
        if (shares.some(({ owned, epoch }) => owned.epoch !== epoch)) return resume()
      }
      await failpoint('before-begin')
      const tallies = await pool.transaction(tx => writeCycle(tx, shares, { care, byCopy: isCopied() }), limits)
      await failpoint('after-commit')
      stopTimer()
      const moved = shares.map(({ owned, expected, next }) => ({
        partition: owned.partition,
        from: expected,
        to: next
      }))
      logCommit(log, moved, { tallies: [...tallies.values()], ms: performance.now() - startedMs })
      commit(shares, tallies)
      await flood.committed()
    } catch (error) {
      await recover(error, shares)
    }
  }

  function isCopied(): boolean {
    return copyChoice.isOn() && (care === 'none' || lastDead <= MOST_REFUSED)
  }

  function commit(shares: readonly Share[], tallies: ReadonlyMap<number, Tally>) {
    lastDead = [...tallies.values()].reduce((sum, { deadLetters }) => sum + deadLetters, 0)
    wary = care !== 'none' && lastDead > 0 ? WARY_CYCLES : Math.max(0, wary - 1)
    care = wary > 0 ? 'ready' : 'none'
    cancels.onWritten(shares)
    copyChoice.onWritten()
    resume()
    metrics.cycleRecords.observe(
      { topic: write.topic },
      shares.reduce((sum, { steps }) => sum + steps.length, 0)
    )

    for (const { owned, ahead, steps, next } of shares) {
      metrics.count(write.topic, tallies.get(owned.partition), steps.length)
      // Given to another member meanwhile: the commit was still ours, the rest is theirs.
      if (owned.revoked.aborted) continue
      owned.position = { ...owned.position, nextOffset: next }
      ahead.drop(steps.length)
      hooks.onCommitted(owned)
    }
  }

  function resume() {
    if (patience.reset()) log.info('writing again')
    stopped.clear()
    hooks.onState('running', null)
  }

  async function recover(error: unknown, shares: readonly Share[]): Promise<void> {
    // It may be long until they are written, and none of them is being handled.
    for (const { owned } of shares) owned.trial.rest()
    const moved = movedPartitions(error)
    if (moved) {
      log.warn({ partitions: moved }, 'someone else moved the position: the batch is dropped')
      return retryReload(moved)
    }
    if (isUnclassified(error)) metrics.unclassified.inc({ topic: write.topic })
    const partitions = shares.map(({ owned }) => owned.partition)
    if (isFlood(error)) return stopForFlood(error, partitions)
    const key = unparkedKey(error)
    if (key) {
      // What was believed of it is out of date: its head was settled before, or is by now.
      hints.forget(key)
      for (const { ahead } of shares) ahead.unpark(key)
      return
    }
    const fault = databaseFault(error)
    if ((fault === 'record' || fault === 'ours') && copyChoice.onFailed(error, fault)) return
    if (fault === 'record' && care === 'none') {
      care = 'again'
      wary = WARY_CYCLES
      return
    }
    mustReload = true
    if (isCancelled(error)) cancels.onCancelled(shares, error)
    if (findAway(error)) return waitForWorld(error)
    // Another member has what this was about: it finds out itself.
    const remaining = shares.filter(({ owned }) => !owned.revoked.aborted)
    if (remaining.length === 0) return

    const reason = `${(error as Error).message}: mend it, the batch is tried again every ${RETRY_OURS_MS / 1000} s`
    const places = shares.map(({ owned, expected }) => ({ partition: owned.partition, offset: String(expected) }))
    log.error({ err: error, places }, 'the function is stopped: this needs someone to act')
    hooks.onState('stopped', reason)
    stopped.clear()
    for (const { owned } of remaining) stopped.add(owned.partition)
    relief = new AbortController()
    await pause(RETRY_OURS_MS, AbortSignal.any([ending.signal, relief.signal]))
  }

  async function stopForFlood(error: unknown, partitions: readonly number[]): Promise<void> {
    try {
      hooks.onState('stopped', await flood.trip(error))
      // Handled once more when it goes on: by then someone has mended what they died of.
      hooks.drop(partitions)
    } catch (reason) {
      await waitForWorld(reason)
    }
  }

  async function waitForWorld(error: unknown): Promise<void> {
    const away = findAway(error) ?? 'PostgreSQL cannot be asked'
    if (patience.failingMs() === 0) log.warn({ err: error }, `${away}: waiting`)
    stopped.clear()
    hooks.onState('waiting', away)
    await patience.wait(ending.signal)
  }

  async function retryReload(partitions: readonly number[]): Promise<void> {
    try {
      await hooks.reload(partitions)
    } catch (error) {
      mustReload = true
      await waitForWorld(error)
    }
  }

  brake.onChange(() => {
    const mode = brake.mode()
    hooks.onState(mode === 'paused' || mode === 'stopped' ? mode : 'running', brake.isHeld() ? brake.reason() : null)
    for (const partition of owned.values()) partition.changed.wake()
    for (const { owned, ahead } of handled.values()) if (brake.isHeld() && !ahead.isBusy()) owned.trial.rest()
    work.wake()
  })

  return {
    start() {
      loop = run()
    },
    onOwned(partition) {
      const ahead = createSettleAhead(partition, {
        ...settleAhead,
        onReady: work.wake,
        onAttemptFailed: () => metrics.attemptsFailed.inc({ topic: write.topic })
      })
      ahead.ended.catch(error =>
        log.fatal({ err: error, partition: partition.partition }, 'the handling of a partition ended')
      )
      handled.set(partition.partition, { owned: partition, ahead })
    },
    async onReleased(partition) {
      const ahead = handled.get(partition)?.ahead
      handled.delete(partition)
      work.wake()
      // Whoever owns it now says how it fares. What a stop gives up stays said.
      if (stopped.delete(partition) && stopped.size === 0) {
        relief.abort()
        if (!brake.isHeld() && !isStopping) hooks.onState('running', null)
      }
      await ahead?.idle()
    },
    async onMoved(partition) {
      const ahead = handled.get(partition.partition)?.ahead
      ahead?.reset()
      await ahead?.idle()
    },
    async room(partition, bytes, ms) {
      const until = performance.now() + ms
      while (partition.queue.bytes() > bytes && performance.now() < until && !partition.revoked.aborted)
        await pause(5, ending.signal)
    },
    betweenWrites(task) {
      const done = new Promise<void>((resolve, reject) => between.push(() => task().then(resolve, reject)))
      work.wake()
      return done
    },
    async stop(at) {
      isStopping = true
      deadline = at
      for (const { ahead } of handled.values()) ahead.close()
      work.wake()
      const timer = setTimeout(() => ending.abort(), Math.max(0, at - performance.now()))
      // A write that gets no answer is given up: the connection goes with the process, and PostgreSQL rolls it back.
      await Promise.race([loop, aborted(ending.signal)])
      clearTimeout(timer)
      ending.abort()
    }
  }
}
