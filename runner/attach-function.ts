import type { Logger } from 'pino'
import type { Position } from '../db/queries/positions.ts'
import type { Consumer, ConsumerEvents, FetchedBatch } from '../kafka/types.ts'
import { failpoint } from '../sdk/failpoints.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import { type AssignedPartition, createAssignedPartition } from './assigned-partition.ts'
import type { Effects } from './effects.ts'
import type { createPositionLocator } from './locate-positions.ts'
import { createPatience, pause } from './patience.ts'

/** Positions are read again so often: a database that was restored under a running consumer is noticed by this. */
const CHECK_POSITIONS_MS = 10_000
/** So often the topic's id and the ends of its log are looked at. */
const CHECK_LOG_MS = 30_000
/** Kafka's own commit, a hint for lag tools. */
const HINT_MS = 1_000
/** A queue is paused above the one and goes on below the other. */
const FULL_BYTES = 4 * 1024 * 1024
const ROOM_BYTES = 1 * 1024 * 1024
/** So long a fetch may wait for room before its partition is paused: a pause costs up to a fetch's whole wait. */
const WAIT_FOR_ROOM_MS = 200

export type AttachmentState = 'starting' | 'running' | 'waiting' | 'stopped'

/** A function on its consumer group. */
export interface Attachment {
  readonly topic: string
  readonly groupId: string
  /** Joins the group, and stays in it through every failure of Kafka and PostgreSQL. */
  start(): void
  /** Finishes what is in hand as far as `deadline` (epoch in ms) allows, commits, leaves the group. */
  stop(deadline: number): Promise<void>
  state(): { readonly state: AttachmentState; readonly reason: string | null }
  /** Records of the log that are not settled, by partition, as of the last fetch. */
  lag(): ReadonlyMap<number, number>
}

export interface AttachDependencies {
  readonly definition: LoadedFunction
  readonly groupId: string
  readonly createConsumer: (events: ConsumerEvents) => Consumer
  readonly locator: ReturnType<typeof createPositionLocator>
  /** What handles and writes the records of the partitions that are owned. */
  readonly createEffects: (owned: ReadonlyMap<number, AssignedPartition>, hooks: EffectHooks) => Effects
  /** Told when a function is stopped, with what to do, and when it runs again. */
  readonly onState?: (state: 'running' | 'stopped', reason: string | null) => void
  readonly log: Logger
}

/** What the writing side tells the reading side. */
export interface EffectHooks {
  /** A partition's position was committed; records of its queue may have left. */
  onCommitted(owned: AssignedPartition): void
  /** Positions must be read again before anything is written: after an outage, or because one moved. */
  reload(partitions?: readonly number[]): Promise<void>
  onState(state: AttachmentState, reason: string | null): void
}

/** Attaches a function to its consumer group. */
export function attachFunction({
  definition,
  groupId,
  createConsumer,
  locator,
  createEffects,
  onState = () => undefined,
  log
}: AttachDependencies): Attachment {
  const { topic } = definition
  const owned = new Map<number, AssignedPartition>()
  const hints = new Map<number, bigint>()
  const stopping = new AbortController()
  const timers: NodeJS.Timeout[] = []
  let state: { state: AttachmentState; reason: string | null } = { state: 'starting', reason: null }
  let consumer: Consumer | null = null
  let generation = 0
  let checking: Promise<void> | null = null
  let running: Promise<void> | null = null

  const effects = createEffects(owned, {
    onCommitted(partition) {
      hints.set(partition.partition, partition.position.nextOffset)
      makeRoom(partition)
    },
    reload: partitions => reload(partitions),
    onState(next, reason) {
      const isNews = (next === 'stopped') !== (state.state === 'stopped') || reason !== state.reason
      state = { state: next, reason }
      if (isNews && next !== 'waiting') onState(next === 'stopped' ? 'stopped' : 'running', reason)
    }
  })

  const events = (crashed: (error: Error) => void): ConsumerEvents => ({
    onAssigned(partitions) {
      generation += 1
      for (const partition of owned.keys()) if (!partitions.includes(partition)) release(partition)
      // What is in hand of a partition that stays is still good; only Kafka has forgotten where it was read.
      for (const { partition, fetchedTo, isPaused } of owned.values()) {
        consumer?.start(partition, fetchedTo)
        if (isPaused) consumer?.pause(partition)
      }
      log.info({ partitions }, 'partitions assigned')
      void own(
        partitions.filter(partition => !owned.has(partition)),
        generation
      )
    },
    onBatch,
    onCrash: crashed
  })

  /** Finds the positions of new partitions and begins to fetch them; tries until it succeeds or they are gone again. */
  async function own(partitions: readonly number[], of: number): Promise<void> {
    const patience = createPatience()
    while (partitions.length > 0 && of === generation && !stopping.signal.aborted) {
      try {
        const bounds = await locator.readBounds()
        const found = await locator.readOrCreate(partitions, async () => bounds)
        for (const position of found.values()) {
          const settled = await locator.settle(position, bounds)
          if (of === generation) take(settled)
        }
        if (state.state === 'starting' && of === generation) state = { state: 'running', reason: null }
        return
      } catch (error) {
        logOnce(patience.failingMs(), error, 'the positions cannot be read yet')
        await patience.wait(stopping.signal)
      }
    }
    // Nothing to wait for any more, whatever it waited for before.
    const isIdle = owned.size === 0 || state.state === 'starting'
    if (partitions.length === 0 && isIdle) state = { state: 'running', reason: null }
  }

  function take(position: Position) {
    const partition = createAssignedPartition(position)
    owned.set(position.partition, partition)
    hints.set(position.partition, position.nextOffset)
    effects.onOwned(partition)
    consumer?.start(position.partition, position.nextOffset)
  }

  function release(partition: number) {
    owned.get(partition)?.revoke()
    owned.delete(partition)
    hints.delete(partition)
    effects.onReleased(partition)
  }

  async function onBatch(batch: FetchedBatch): Promise<void> {
    const partition = owned.get(batch.partition)
    if (!partition) return
    partition.highWatermark = batch.highWatermark
    if (batch.fetchedOffset > partition.fetchedTo) return closeGap(partition)
    if (batch.endOffset <= partition.fetchedTo) return

    const isNew = (offset: string) => BigInt(offset) >= partition.fetchedTo
    const isOverlap = batch.fetchedOffset < partition.fetchedTo
    partition.queue.push(isOverlap ? { ...batch, records: batch.records.filter(({ offset }) => isNew(offset)) } : batch)
    partition.fetchedTo = batch.endOffset
    partition.changed.wake()

    if (partition.queue.bytes() < FULL_BYTES) return
    await effects.room(partition, ROOM_BYTES, WAIT_FOR_ROOM_MS)
    if (partition.queue.bytes() < FULL_BYTES || partition.revoked.aborted) return
    partition.isPaused = true
    consumer?.pause(partition.partition)
  }

  function makeRoom(partition: AssignedPartition) {
    if (!partition.isPaused || partition.queue.bytes() > ROOM_BYTES) return
    partition.isPaused = false
    consumer?.resume(partition.partition)
  }

  /** Kafka gave records from above what was asked for: it lost the ones between, or KafkaJS went back by itself. */
  function closeGap(partition: AssignedPartition) {
    consumer?.start(partition.partition, partition.fetchedTo)
    // What is in hand goes first; then the position stands at the gap, and is found below the start of the log.
    if (partition.position.nextOffset === partition.fetchedTo) void check({ withLog: true })
  }

  /** Reads positions again, of all partitions or of those that someone else moved, and drops what does not follow them. */
  async function reload(partitions: readonly number[] = [...owned.keys()]): Promise<void> {
    const before = new Map([...owned].map(([partition, { position }]) => [partition, position]))
    const found = await locator.readOrCreate(partitions, locator.readBounds)

    for (const position of found.values()) {
      const partition = owned.get(position.partition)
      // One that moved while it was being read is compared the next time.
      if (!partition || partition.isWriting || partition.position !== before.get(position.partition)) continue
      if (isSame(partition.position, position)) continue
      const where = {
        partition: position.partition,
        from: String(partition.position.nextOffset),
        to: String(position.nextOffset)
      }
      log.warn(where, 'the position is another one than was committed here: what is in hand is dropped')
      moveTo(partition, position)
    }
  }

  function moveTo(partition: AssignedPartition, position: Position) {
    partition.moveTo(position)
    partition.isPaused = false
    effects.onMoved(partition)
    hints.set(partition.partition, position.nextOffset)
    consumer?.start(partition.partition, position.nextOffset)
  }

  /** One check at a time, and none while a cycle is being written: then the positions in memory are about to change. */
  function check({ withLog }: { withLog: boolean }): Promise<void> {
    checking ??= effects
      .betweenWrites(async () => {
        await reload()
        endWaiting()
        if (!withLog) return
        const bounds = await locator.readBounds()
        for (const partition of owned.values()) {
          if (partition.isWriting) continue
          const { position } = partition
          const settled = await locator.settle(position, bounds)
          if (!isSame(settled, position) && partition.position === position) moveTo(partition, settled)
        }
      })
      .catch(error => log.debug({ err: error }, 'the positions could not be checked'))
      .finally(() => {
        checking = null
      })
    return checking
  }

  /** After an outage there may be nothing left to write that would show its end: then it is shown by the reading. */
  function endWaiting() {
    const isIdle = [...owned.values()].every(({ position, fetchedTo }) => position.nextOffset === fetchedTo)
    if (state.state === 'waiting' && isIdle) state = { state: 'running', reason: null }
  }

  async function commitHints(): Promise<void> {
    if (hints.size === 0 || !consumer) return
    const positions = new Map(hints)
    await failpoint('before-offset-commit')
    if (!(await consumer.commit(positions))) return
    for (const [partition, offset] of positions) if (hints.get(partition) === offset) hints.delete(partition)
  }

  /** Keeps a consumer running: whatever ends one, a new one takes its place. */
  async function run(): Promise<void> {
    const patience = createPatience()
    while (!stopping.signal.aborted) {
      const crash = new Promise<Error>(resolve => {
        consumer = createConsumer(events(resolve))
      })
      const error = await Promise.race([
        crash,
        (consumer as Consumer | null)?.run().then(
          () => {
            patience.reset()
            return crash
          },
          (reason: Error) => reason
        ),
        aborted(stopping.signal)
      ])
      if (stopping.signal.aborted) return
      logOnce(patience.failingMs(), error, 'the consumer ended and is made anew')
      state = { state: 'starting', reason: 'the consumer is being made anew' }
      generation += 1
      for (const partition of owned.keys()) release(partition)
      await consumer?.stop()
      await patience.wait(stopping.signal)
    }
  }

  function logOnce(failingMs: number, error: unknown, message: string) {
    if (failingMs === 0) log.error({ err: error }, message)
    else log.debug({ err: error, failingMs }, message)
  }

  return {
    topic,
    groupId,
    start() {
      // Whatever stopped the one before: this one finds out anew.
      onState('running', null)
      effects.start()
      running = run()
      timers.push(
        setInterval(() => void commitHints(), HINT_MS),
        setInterval(() => void check({ withLog: false }), CHECK_POSITIONS_MS),
        setInterval(() => void check({ withLog: true }), CHECK_LOG_MS)
      )
    },
    async stop(deadline) {
      for (const timer of timers) clearInterval(timer)
      await effects.stop(deadline)
      await Promise.race([commitHints(), pause(Math.max(0, Math.min(1_000, deadline - Date.now())), stopping.signal)])
      stopping.abort()
      await consumer?.stop()
      for (const partition of [...owned.keys()]) release(partition)
      await running
    },
    state: () => state,
    lag: () =>
      new Map(
        [...owned].map(([partition, { highWatermark, position }]) => [
          partition,
          Math.max(0, Number(highWatermark - position.nextOffset))
        ])
      )
  }
}

function isSame(a: Position, b: Position): boolean {
  return a.nextOffset === b.nextOffset && a.topicId === b.topicId
}

function aborted(signal: AbortSignal): Promise<Error> {
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }))
}
