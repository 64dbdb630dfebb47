import type { Logger } from 'pino'
import type { Position } from '../db/queries/positions.ts'
import type { Consumer, ConsumerEvents } from '../kafka/types.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import { type AssignedPartition, createAssignedPartition } from './assigned-partition.ts'
import { createPositionCheck } from './check-positions.ts'
import type { EffectHooks, Effects } from './effects.ts'
import { createHints } from './hints.ts'
import { createConsumerKeeper } from './keep-consumer.ts'
import type { createPositionLocator, LogBounds } from './locate-positions.ts'
import { createPatience, logOnce, pause } from './patience.ts'
import { createSupervision } from './supervise.ts'
import { createBatchTaker } from './take-batches.ts'
import { NO_TRIAL, type Trial } from './trial.ts'

/** Positions are read again so often: a database that was restored under a running consumer is noticed by this. */
const CHECK_POSITIONS_MS = 10_000
/** So often the topic's id and the ends of its log are looked at. */
const CHECK_LOG_MS = 30_000
/** Kafka's own commit, a hint for lag tools. */
const HINT_MS = 1_000
/** A stop waits so long at least for its notes to be taken back. */
const MIN_RELEASE_MS = 500

export type AttachmentState = 'starting' | 'running' | 'waiting' | 'paused' | 'stopped'

/** A function on its consumer group. */
export interface Attachment {
  readonly topic: string
  readonly groupId: string
  /** Joins the group, and stays in it through every failure of Kafka and PostgreSQL. */
  start(): void
  /** Finishes what is in hand as far as `deadline` (of `performance.now()`) allows, commits, leaves the group. */
  stop(deadline: number): Promise<void>
  /** Reads the positions again, and goes on from those that someone moved. Rejects never. */
  readPositions(): Promise<void>
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
  /** What is noted of a partition's records before they are handled; by default nothing. */
  readonly createTrial?: (partition: number) => Trial
  /** Told when a function is stopped, with what to do, again as long as it is, and when it runs again. */
  readonly onState?: (state: 'running' | 'stopped', reason: string | null) => void
  /** Called with partitions that are about to be owned, before their positions are made or moved. */
  readonly beforeOwned?: (partitions: readonly number[], bounds: LogBounds) => Promise<void>
  /** Told how many records each fetch gave. */
  readonly onFetched?: (records: number) => void
  /** Told whenever it waits for Kafka or PostgreSQL, and whenever it does not. */
  readonly onWaiting?: (isWaiting: boolean) => void
  /** Told when consumers fetch nothing, however often they are made anew: the process had better end. */
  readonly onHopeless?: (reason: Error) => void
  readonly log: Logger
}

/** Attaches a function to its consumer group. */
export function attachFunction({
  definition,
  groupId,
  createConsumer,
  locator,
  createEffects,
  createTrial = () => NO_TRIAL,
  onState = () => undefined,
  beforeOwned = async () => undefined,
  onFetched = () => undefined,
  onWaiting = () => undefined,
  onHopeless = () => undefined,
  log
}: AttachDependencies): Attachment {
  const { topic } = definition
  const owned = new Map<number, AssignedPartition>()
  const hints = createHints()
  const stopping = new AbortController()
  const timers: NodeJS.Timeout[] = []
  /** Of the consumer, and of the writing: what one becomes says nothing about the other. */
  let starting: { reason: string | null } | null = { reason: null }
  let state: { state: AttachmentState; reason: string | null } = { state: 'running', reason: null }
  let generation = 0
  let running: Promise<void> | null = null

  const effects = createEffects(owned, {
    onCommitted(partition) {
      hints.set(partition.partition, partition.position.nextOffset)
      partition.trial.onCommitted(partition.position.nextOffset)
      batches.makeRoom(partition)
    },
    reload: partitions => positions.reload(partitions),
    drop(partitions) {
      for (const number of partitions) {
        const partition = owned.get(number)
        if (partition) moveTo(partition, partition.position)
      }
    },
    onState(next, reason) {
      const isNews = (next === 'stopped') !== (state.state === 'stopped') || reason !== state.reason
      state = { state: next, reason }
      onWaiting(next === 'waiting')
      // A pause is an operator's, and written down already. A stop is said again: else it is taken for forgotten.
      if ((isNews || next === 'stopped') && next !== 'waiting' && next !== 'paused')
        onState(next === 'stopped' ? 'stopped' : 'running', reason)
    }
  })
  const keeper = createConsumerKeeper({
    createConsumer,
    events: { onAssigned, onBatch: batch => batches.take(batch) },
    onEnded() {
      starting = { reason: 'the consumer is being made anew' }
      if (state.state === 'waiting') state = { state: 'running', reason: null }
      generation += 1
      for (const partition of owned.keys()) void release(partition)
    },
    signal: stopping.signal,
    log
  })
  const consumer = keeper.current
  const onBounds = createSupervision({
    owned,
    isWaiting: () => state.state !== 'running',
    rebuild: keeper.rebuild,
    giveUp: onHopeless,
    log
  })
  const positions = createPositionCheck({
    owned,
    locator,
    betweenWrites: effects.betweenWrites,
    moveTo,
    onBounds,
    onRead() {
      // It answers again, and there is nothing in hand whose writing would tell so.
      const isIdle = [...owned.values()].every(({ position, fetchedTo }) => position.nextOffset === fetchedTo)
      if (state.state === 'waiting' && isIdle) state = { state: 'running', reason: null }
    },
    log
  })
  const batches = createBatchTaker({
    owned,
    consumer,
    room: effects.room,
    onFetched,
    onGap: () => void positions.check({ withLog: true })
  })

  function onAssigned(partitions: readonly number[]) {
    generation += 1
    for (const partition of owned.keys()) if (!partitions.includes(partition)) void release(partition)
    log.info({ partitions }, 'partitions assigned')
    void goOn([...owned.values()], generation)
    void own(
      partitions.filter(partition => !owned.has(partition)),
      generation
    )
  }

  /**
   * Fetches partitions that stay from where they were: what is in hand is still good, only Kafka has forgotten the
   * place. Unless their topic is another one by now: KafkaJS joins anew when one is gone, and finds the next of its name.
   */
  async function goOn(staying: readonly AssignedPartition[], of: number): Promise<void> {
    const patience = createPatience()
    let waiting = staying
    while (waiting.length > 0 && of === generation && !stopping.signal.aborted) {
      try {
        const { topicId } = await locator.readBounds()
        if (of !== generation) return
        const others = waiting.filter(
          ({ position }) => topicId !== null && position.topicId !== null && position.topicId !== topicId
        )
        for (const partition of waiting) if (!others.includes(partition)) refetch(partition)
        waiting = others.filter(partition => owned.get(partition.partition) === partition)
        if (waiting.length === 0) return
        // Goes to the start of the other log, and begins to fetch there.
        await positions.check({ withLog: true })
        waiting = waiting.filter(({ position }) => position.topicId !== topicId)
        if (waiting.length > 0) await patience.wait(stopping.signal)
      } catch (error) {
        logOnce(log, patience, error, 'whether the topic is still the same cannot be seen yet')
        await patience.wait(stopping.signal)
      }
    }
  }

  function refetch(partition: AssignedPartition) {
    if (owned.get(partition.partition) !== partition) return
    consumer()?.start(partition.partition, partition.fetchedTo)
    if (partition.isPaused) consumer()?.pause(partition.partition)
  }

  /** Finds the positions of new partitions and begins to fetch them; tries until it succeeds or they are gone again. */
  async function own(partitions: readonly number[], of: number): Promise<void> {
    const patience = createPatience()
    while (partitions.length > 0 && of === generation && !stopping.signal.aborted) {
      try {
        const bounds = await locator.readBounds()
        // Those that were found before another one failed are being handled already.
        const missing = partitions.filter(partition => !owned.has(partition))
        await beforeOwned(missing, bounds)
        const found = await locator.readOrCreate(missing, async () => bounds)
        for (const position of found.values()) {
          const settled = await locator.settle(position, bounds)
          if (of === generation) take(settled)
        }
        onWaiting(false)
        if (of === generation) starting = null
        return
      } catch (error) {
        onWaiting(true)
        logOnce(log, patience, error, 'the positions cannot be read yet')
        await patience.wait(stopping.signal)
      }
    }
    if (partitions.length > 0) return
    starting = null
    // Nothing to wait for any more, whatever it waited for before.
    if (owned.size === 0) state = { state: 'running', reason: null }
  }

  function take(position: Position) {
    const partition = createAssignedPartition(position, createTrial(position.partition))
    owned.set(position.partition, partition)
    hints.set(position.partition, position.nextOffset)
    effects.onOwned(partition)
    consumer()?.start(position.partition, position.nextOffset)
  }

  function release(partition: number): Promise<void> | undefined {
    const released = owned.get(partition)
    released?.revoke()
    owned.delete(partition)
    hints.delete(partition)
    const ended = effects.onReleased(partition)
    return released?.trial.release(stopping.signal.aborted ? undefined : ended)
  }

  function moveTo(partition: AssignedPartition, position: Position) {
    const isDrop = position === partition.position
    partition.moveTo(position)
    partition.isPaused = false
    const ended = effects.onMoved(partition)
    // What is dropped and fetched once more has its note still.
    if (isDrop) partition.trial.rest(ended)
    else partition.trial.onMoved(position.nextOffset, ended)
    hints.set(partition.partition, position.nextOffset)
    consumer()?.start(partition.partition, position.nextOffset)
  }

  return {
    topic,
    groupId,
    start() {
      // Whatever stopped the one before: this one finds out anew.
      onState('running', null)
      effects.start()
      running = keeper.run()
      timers.push(
        setInterval(() => void hints.commit(consumer()), HINT_MS),
        setInterval(() => void positions.check({ withLog: false }), CHECK_POSITIONS_MS),
        setInterval(() => void positions.check({ withLog: true }), CHECK_LOG_MS)
      )
    },
    async stop(deadline) {
      for (const timer of timers) clearInterval(timer)
      await effects.stop(deadline)
      const hintMs = Math.max(0, Math.min(1_000, deadline - performance.now()))
      await Promise.race([hints.commit(consumer()), pause(hintMs, stopping.signal)])
      stopping.abort()
      await consumer()?.stop()
      const released = Promise.all([...owned.keys()].map(release))
      await Promise.race([
        released,
        pause(Math.max(MIN_RELEASE_MS, deadline - performance.now()), new AbortController().signal)
      ])
      await running
    },
    readPositions: positions.checkNow,
    state: () => (starting ? { state: 'starting', ...starting } : state),
    lag: () =>
      new Map(
        [...owned].map(([partition, { highWatermark, position }]) => [
          partition,
          Math.max(0, Number(highWatermark - position.nextOffset))
        ])
      )
  }
}
