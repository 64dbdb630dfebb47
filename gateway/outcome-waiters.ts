import type { AwaitedEvent, EventOutcome } from '../db/queries/outcomes.ts'

interface WaitersDependencies {
  readonly findOutcomes: (events: readonly AwaitedEvent[]) => Promise<ReadonlyMap<string, EventOutcome>>
  /** Of all clients together. */
  readonly maxWaiters: number
}

interface WaitOptions {
  readonly timeoutMs: number
  /** Ends the waiting: nobody reads the answer any more. */
  readonly signal: AbortSignal
}

interface Waiter {
  readonly event: AwaitedEvent
  readonly sinceMs: number
  end(outcome: EventOutcome | null): void
}

const MIN_PAUSE_MS = 25
const MAX_PAUSE_MS = 500
// Whoever waits for a second already can wait for another tenth of it.
const PAUSE_SHARE = 0.1

/** Builds the waiting for outcomes: one query at a time asks for all events that somebody waits for. */
export function createOutcomeWaiters({ findOutcomes, maxWaiters }: WaitersDependencies) {
  const waiters = new Set<Waiter>()
  let isPolling = false
  let isClosed = false
  let timer: NodeJS.Timeout | null = null
  let dueMs = Number.POSITIVE_INFINITY

  return { wait, close, count: () => waiters.size }

  /**
   * Gives the outcome of an event; null when it is not there in time, when PostgreSQL is away, when too many wait
   * already, after `close`, and when `signal` says so. Rejects never.
   */
  function wait(event: AwaitedEvent, { timeoutMs, signal }: WaitOptions): Promise<EventOutcome | null> {
    if (isClosed || signal.aborted || waiters.size >= maxWaiters) return Promise.resolve(null)

    return new Promise(resolve => {
      const abandon = () => waiter.end(null)
      const deadline = setTimeout(abandon, timeoutMs)
      const waiter: Waiter = {
        event,
        sinceMs: performance.now(),
        end(outcome) {
          waiters.delete(waiter)
          clearTimeout(deadline)
          signal.removeEventListener('abort', abandon)
          resolve(outcome)
        }
      }
      signal.addEventListener('abort', abandon)
      waiters.add(waiter)
      schedule(MIN_PAUSE_MS)
    })
  }

  /** Ends all waiting, for good. */
  function close(): void {
    isClosed = true
    if (timer) clearTimeout(timer)
    for (const waiter of [...waiters]) waiter.end(null)
  }

  function schedule(pauseMs: number): void {
    const nextMs = performance.now() + pauseMs
    // A new one does not wait for the long pause of the others, nor do they wait for it.
    if (isPolling || isClosed || nextMs >= dueMs) return
    if (timer) clearTimeout(timer)
    dueMs = nextMs
    timer = setTimeout(() => void poll(), pauseMs)
    timer.unref()
  }

  async function poll(): Promise<void> {
    dueMs = Number.POSITIVE_INFINITY
    const asked = [...waiters]
    if (asked.length === 0) return

    isPolling = true
    try {
      const outcomes = await findOutcomes(asked.map(({ event }) => event))
      for (const waiter of asked) {
        const outcome = outcomes.get(`${waiter.event.topic} ${waiter.event.id}`)
        if (outcome) waiter.end(outcome)
      }
    } catch {
      // PostgreSQL is away; the guard of the query has said so. The events are in Kafka all the same.
      for (const waiter of asked) waiter.end(null)
    } finally {
      isPolling = false
    }
    if (waiters.size > 0) schedule(toPause())
  }

  function toPause(): number {
    const youngestMs = performance.now() - Math.max(...[...waiters].map(({ sinceMs }) => sinceMs))
    return Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, youngestMs * PAUSE_SHARE))
  }
}

export type OutcomeWaiters = ReturnType<typeof createOutcomeWaiters>
