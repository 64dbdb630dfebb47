import type { FastifyBaseLogger } from 'fastify'
import type { Delivery, Notice, PendingDelivery } from '../../db/queries/alert-turns.ts'

/** A place that notices go to. */
export interface Sink {
  /**
   * Resolves when the notice has arrived, which may be more than once. Rejects otherwise, within some seconds; with
   * `isFinal` where another attempt cannot help.
   */
  readonly send: (notice: Notice, signal: AbortSignal) => Promise<void>
}

interface DeliveryDependencies {
  /** By name. */
  readonly sinks: ReadonlyMap<string, Sink>
  readonly log: FastifyBaseLogger
  readonly now: () => number
  /** Before attempt 2, 3, …; the last one stays. */
  readonly backoffMs?: readonly number[]
  /** A day or so, with the longest wait between them. */
  readonly maxAttempts?: number
}

interface Waiting extends PendingDelivery {
  attempts: number
  isDue: boolean
  isSending: boolean
}

const BACKOFF_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000]
const MAX_ATTEMPTS = 300
/** In one place. What waits beyond it is in the table, and comes when there is room. */
const MAX_WAITING = 1_000
/** That are not written down yet; of the oldest a double may be sent. */
const MAX_RESULTS = 5_000

/**
 * Builds the delivery of notices. Each place has its own queue, one attempt at a time: what hangs or refuses holds up
 * nobody else. In a place, notices of one subject come in their order.
 */
export function createDeliveries(dependencies: DeliveryDependencies) {
  const { sinks, log, now, backoffMs = BACKOFF_MS, maxAttempts = MAX_ATTEMPTS } = dependencies
  /** By place, and there by the id of the notice. */
  const queues = new Map<string, Map<string, Waiting>>()
  const results = new Map<string, Delivery>()
  const closing = new AbortController()
  const timers = new Set<NodeJS.Timeout>()
  let tell = (): void => undefined

  return { add, release, results: () => [...results.values()], forget, close, onResult }

  /** Calls `listener` whenever a delivery is over, well or not. */
  function onResult(listener: () => void): void {
    tell = listener
  }

  /** Begins deliveries that have not begun yet. */
  function add(pending: readonly PendingDelivery[]): void {
    for (const one of pending) {
      const queue = queueOf(one.sink)
      const { id } = one.notice
      // Done, and not written down yet.
      if (queue.has(id) || isDone(results.get(toKey(id, one.sink))) || queue.size >= MAX_WAITING) continue
      queue.set(id, { ...one, isDue: true, isSending: false })
    }
    for (const sink of new Set(pending.map(({ sink }) => sink))) pump(sink)
  }

  /** Drops what is not under way: the table has it, and another gateway delivers. */
  function release(): void {
    for (const queue of queues.values()) for (const [id, { isSending }] of queue) if (!isSending) queue.delete(id)
  }

  /** Forgets results that were written down; one that came since stays. */
  function forget(written: readonly Delivery[]): void {
    for (const result of written) {
      const key = toKey(result.noticeId, result.sink)
      if (results.get(key) === result) results.delete(key)
    }
  }

  function close(): void {
    closing.abort()
    for (const timer of timers) clearTimeout(timer)
    queues.clear()
  }

  function queueOf(sink: string): Map<string, Waiting> {
    const queue = queues.get(sink) ?? new Map<string, Waiting>()
    queues.set(sink, queue)
    return queue
  }

  function pump(sink: string): void {
    const queue = [...queueOf(sink).values()]
    if (closing.signal.aborted || queue.some(({ isSending }) => isSending)) return
    const next = queue.find(one => one.isDue && isFirst(one, queue))
    if (next) void send(next).finally(() => pump(sink))
  }

  async function send(one: Waiting): Promise<void> {
    const { notice, sink } = one
    one.isSending = true
    one.attempts += 1
    try {
      const to = sinks.get(sink)
      if (!to) throw Object.assign(new TypeError(`there is no ${sink} any more`), { isFinal: true })
      await to.send(notice, closing.signal)
      settle(one, 'delivered')
    } catch (err) {
      if (closing.signal.aborted) return
      const isLast = one.attempts >= maxAttempts || (err as { isFinal?: unknown } | null)?.isFinal === true
      // The first and the last failure are news; the attempts in between are in the table.
      if (one.attempts === 1 || isLast) log.warn({ err, sink, notice: notice.id, isLast }, 'a notice was not delivered')
      settle(one, isLast ? 'given_up' : 'pending')
    }
  }

  function settle(one: Waiting, state: Delivery['state']): void {
    const key = toKey(one.notice.id, one.sink)
    results.delete(key)
    for (const oldest of results.keys()) if (results.size >= MAX_RESULTS) results.delete(oldest)
    results.set(key, { noticeId: one.notice.id, sink: one.sink, state, attempts: one.attempts, atMs: now() })
    one.isSending = false
    one.isDue = false
    if (state !== 'pending') {
      queueOf(one.sink).delete(one.notice.id)
      tell()
      return
    }
    const timer = setTimeout(
      () => {
        timers.delete(timer)
        one.isDue = true
        pump(one.sink)
      },
      backoffMs[Math.min(one.attempts, backoffMs.length) - 1]
    )
    timer.unref()
    timers.add(timer)
  }
}

export type Deliveries = ReturnType<typeof createDeliveries>

/** Whether nothing of its subject waits before it: that an alert is over must not come before that it fired. */
function isFirst(one: Waiting, queue: readonly Waiting[]): boolean {
  const { name, subject } = one.notice
  return queue.find(({ notice }) => notice.name === name && notice.subject === subject) === one
}

function isDone(result: Delivery | undefined): boolean {
  return result !== undefined && result.state !== 'pending'
}

function toKey(noticeId: string, sink: string): string {
  return `${noticeId} ${sink}`
}
