import type { TransactionLimits } from '../db/write-transaction.ts'
import { failpoint } from '../sdk/failpoints.ts'
import type { AssignedPartition } from './assigned-partition.ts'
import type { Memory } from './attempt-in-transaction.ts'
import type { Brake } from './brake.ts'
import { toCrashed } from './dead-letter.ts'
import type { EffectHooks, Effects } from './effects.ts'
import { findAway } from './find-away.ts'
import { type FloodBreaker, isFlood } from './flood.ts'
import type { Gate } from './gate.ts'
import { logCommit } from './log-records.ts'
import type { RunnerMetrics } from './metrics.ts'
import type { QueuedItem } from './partition-queue.ts'
import { createPatience, pause, RETRY_OURS_MS } from './patience.ts'
import { movedPartitions } from './positions-of-cycle.ts'
import { createPrefixRunner, MAX_RECORDS, type Memories, type Prefix, type PrefixDependencies } from './run-prefix.ts'
import type { WriterPool } from './writer-pool.ts'

export interface TransactionEffectsDependencies extends Omit<PrefixDependencies, 'write'> {
  readonly pool: WriterPool
  readonly limits: TransactionLimits
  /** Of all functions of the process: attempts that are waiting for something. */
  readonly gate: Gate
  readonly write: Omit<PrefixDependencies['write'], 'topicIdOf' | 'flood'>
  readonly flood: FloodBreaker
  readonly brake: Brake
  readonly metrics: RunnerMetrics
}

/**
 * Builds the effects of a function that does any SQL in a transaction: one record after the other in the order of its
 * partition, each behind a savepoint. A record that has to wait is never waited for in a transaction: what was done
 * before it is committed, and it begins the next one. Each partition has a transaction of its own, so that a record
 * that takes long holds back no other partition.
 */
export function createTransactionEffects(
  owned: ReadonlyMap<number, AssignedPartition>,
  hooks: EffectHooks,
  dependencies: TransactionEffectsDependencies
): Effects {
  const { definition, pool, gate, limits, write, flood, brake, metrics, log } = dependencies
  const loops = new Set<Promise<void>>()
  /** By partition that is owned. */
  const running = new Map<number, Promise<void>>()
  const ending = new AbortController()
  const writeDependencies = {
    ...write,
    flood,
    topicIdOf: (partition: number) => owned.get(partition)?.position.topicId ?? null
  }
  /** Why partitions are stopped, by partition. */
  const stopped = new Map<number, string>()
  let isStopping = false

  async function run(partition: AssignedPartition): Promise<void> {
    const patience = createPatience()
    const runPrefix = createPrefixRunner(partition, { ...dependencies, write: writeDependencies })
    let hand: QueuedItem[] = []
    let { epoch } = partition
    const memories = new Map<string, Memory>()

    while (!partition.revoked.aborted && !isStopping) {
      if (epoch !== partition.epoch) {
        epoch = partition.epoch
        hand = []
        memories.clear()
      }
      if (brake.isHeld()) {
        partition.trial.rest()
        await partition.changed.wait()
        continue
      }
      fill(hand, partition)
      if (hand.length === 0) {
        partition.trial.rest()
        await partition.changed.wait()
        continue
      }
      await waitFor(memories, hand, partition)
      const trusted = await begin(memories, hand, partition)
      const part = brake.mode() === 'probe' ? trusted.slice(0, 1) : trusted
      // It may have waited long for its turn.
      if (epoch !== partition.epoch || brake.isHeld()) continue
      if (partition.revoked.aborted || isStopping) return
      try {
        partition.isWriting = true
        if (patience.failingMs() > 0) await reload(partition)
        if (epoch !== partition.epoch) continue
        await failpoint('before-begin')
        const stopTimer = metrics.cycleSeconds.startTimer({ topic: write.topic })
        const startedMs = performance.now()
        const prefix: Prefix = await pool.transaction(tx => runPrefix(tx, part, memories), limits, gate)
        await failpoint('after-commit')
        stopTimer()
        if (prefix.memory) memories.set(prefix.memory.offset, prefix.memory)
        for (const { record } of hand.slice(0, prefix.count)) if (record) memories.delete(record.offset)
        const hadWaited = patience.reset()
        if (hadWaited) log.info({ partition: partition.partition }, 'writing again')
        stopped.delete(partition.partition)
        const [reason] = stopped.values()
        if (reason === undefined) hooks.onState('running', null)
        else if (hadWaited) hooks.onState('stopped', reason)
        commit(partition, prefix, startedMs)
        hand.splice(0, prefix.count)
        if (prefix.count > 0) await flood.committed()
      } catch (error) {
        const { memory } = error as { memory?: Memory }
        if (memory) memories.set(memory.offset, memory)
        // Tried anew when it goes on: by then someone has mended what they died of.
        if (isFlood(error)) memories.clear()
        partition.isWriting = false
        if (!isAbandoned(error)) await recover(error, partition, patience)
      } finally {
        partition.isWriting = false
      }
    }
  }

  function fill(hand: QueuedItem[], partition: AssignedPartition) {
    while (hand.length < MAX_RECORDS) {
      const item = partition.queue.shift()
      if (!item) return
      hand.push(item)
    }
  }

  async function waitFor(memories: Memories, hand: readonly QueuedItem[], partition: AssignedPartition): Promise<void> {
    const memory = memories.get(hand[0]?.record?.offset ?? '')
    if (!memory) return
    const ms = memory.notBeforeMs - performance.now()
    if (ms <= 0) return
    partition.trial.rest()
    await pause(ms, AbortSignal.any([partition.revoked, ending.signal]))
  }

  /** Notes what is about to be handled, and gives as much of it as may be: one record alone after an unclean end. */
  async function begin(memories: Map<string, Memory>, hand: readonly QueuedItem[], partition: AssignedPartition) {
    const { trial } = partition
    const offset = hand.find(({ record }) => record)?.record?.offset
    if (offset === undefined) return hand
    if (trial.isDue(offset)) {
      const ends = await trial.begin(partition, offset, AbortSignal.any([partition.revoked, ending.signal]))
      if (ends >= definition.options.maxAttempts)
        memories.set(offset, { offset, attempt: ends, notBeforeMs: 0, dead: toCrashed(ends) })
    }
    return trial.isAlone() ? hand.slice(0, 1) : hand
  }

  async function reload(partition: AssignedPartition): Promise<void> {
    partition.isWriting = false
    await hooks.reload([partition.partition])
    partition.isWriting = true
  }

  function commit(partition: AssignedPartition, { count, next, tally }: Prefix, startedMs: number) {
    metrics.count(write.topic, tally, count)
    metrics.cycleRecords.observe({ topic: write.topic }, count)
    const moved = { partition: partition.partition, from: partition.position.nextOffset, to: next }
    if (count > 0) logCommit(log, [moved], { tallies: tally ? [tally] : [], ms: performance.now() - startedMs })
    if (partition.revoked.aborted || count === 0) return
    partition.position = { ...partition.position, nextOffset: next }
    hooks.onCommitted(partition)
  }

  async function recover(
    error: unknown,
    partition: AssignedPartition,
    patience: ReturnType<typeof createPatience>
  ): Promise<void> {
    // What a stop gives up, or another owner has by now, is nobody's fault.
    if (isStopping || partition.revoked.aborted) return
    partition.trial.rest()
    if (movedPartitions(error)) {
      log.warn({ partition: partition.partition }, 'someone else moved the position: the batch is dropped')
      await hooks
        .reload([partition.partition])
        .catch(reason => log.debug({ err: reason }, 'the position cannot be read yet'))
      // Unmoved in PostgreSQL and yet refused: let the other owner finish.
      return patience.wait(AbortSignal.any([partition.revoked, ending.signal]))
    }
    if (isFlood(error)) {
      try {
        return hooks.onState('stopped', await flood.trip(error))
      } catch (reason) {
        return recover(reason, partition, patience)
      }
    }
    const away = findAway(error)
    if (away) {
      if (patience.failingMs() === 0) log.warn({ err: error, partition: partition.partition }, `${away}: waiting`)
      hooks.onState('waiting', away)
      return patience.wait(AbortSignal.any([partition.revoked, ending.signal]))
    }
    const reason = `${(error as Error).message}: mend it, the record is tried again every ${RETRY_OURS_MS / 1000} s`
    const { nextOffset } = partition.position
    log.error(
      { err: error, partition: partition.partition, offset: String(nextOffset) },
      'the function is stopped: this needs someone to act'
    )
    stopped.set(partition.partition, reason)
    hooks.onState('stopped', reason)
    await pause(RETRY_OURS_MS, AbortSignal.any([partition.revoked, ending.signal]))
  }

  brake.onChange(() => {
    const mode = brake.mode()
    hooks.onState(mode === 'paused' || mode === 'stopped' ? mode : 'running', brake.isHeld() ? brake.reason() : null)
    for (const partition of owned.values()) partition.changed.wake()
  })

  return {
    start() {
      // Each partition has its own loop, from the moment it is owned.
    },
    onOwned(partition) {
      const loop = run(partition).catch(error =>
        log.fatal({ err: error, partition: partition.partition }, 'the handling of a partition ended')
      )
      loops.add(loop)
      running.set(partition.partition, loop)
      void loop.finally(() => loops.delete(loop))
    },
    async onReleased(partition) {
      const loop = running.get(partition)
      running.delete(partition)
      // Whoever owns it now says how it fares. What a stop gives up stays said.
      const isLast = stopped.delete(partition) && stopped.size === 0
      if (isLast && !brake.isHeld() && !isStopping) hooks.onState('running', null)
      await loop
    },
    // None goes to another position in the middle of its transaction.
    onMoved: async () => undefined,
    async room(partition, bytes, ms) {
      const until = performance.now() + ms
      while (partition.queue.bytes() > bytes && performance.now() < until && !partition.revoked.aborted)
        await pause(5, ending.signal)
    },
    betweenWrites: work => work(),
    async stop(deadline) {
      isStopping = true
      // What waits ends now; an open transaction has until the deadline.
      ending.abort()
      for (const partition of owned.values()) partition.changed.wake()
      const limit = new AbortController()
      await Promise.race([Promise.all(loops), pause(Math.max(0, deadline - performance.now()), limit.signal)])
      limit.abort()
    }
  }
}

function isAbandoned(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'SMG_RUNNER_ABANDONED'
}
