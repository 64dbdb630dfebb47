/** What runs beside may be a record that waits for something itself: it is waited for no longer than this. */
const BESIDE_MS = 5_000

/** Somebody's turn. */
export interface HeldTurn {
  /** Whether anybody waits for it. */
  isWanted(): boolean
  /** Gives it on; a second call does nothing. */
  end(): void
}

/**
 * The turn of a process among the records that may have ended it: while one of them is noted and handled, no other one
 * is, of whatever partition or function. Else the end of the process would be counted against both.
 *
 * Nobody waits for it who is in a transaction or inside the gate.
 */
export interface Turn {
  /**
   * Waits until nobody else has the turn, first come, first served, and until what runs beside has ended.
   *
   * @param onWanted called whenever somebody begins to wait for the turn while it is had
   * @returns null when `signal` aborts first
   */
  take(signal: AbortSignal, onWanted?: () => void): Promise<HeldTurn | null>
  /** Says that records are handled which nobody suspects yet and which may not wait; gives their end. */
  runBeside(): () => void
  /** Waits until nobody has the turn, or `signal` aborts, and then runs beside; gives the end of that. */
  pass(signal: AbortSignal): Promise<() => void>
}

interface Ticket {
  readonly onWanted: () => void
}

/** Builds the turn of a process. */
export function createTurn({ besideMs = BESIDE_MS } = {}): Turn {
  /** The first has the turn, or waits for what runs beside. */
  const tickets: Ticket[] = []
  /** Until when each is waited for, in milliseconds of `performance.now()`. */
  const beside = new Map<symbol, number>()
  const calls = new Set<() => void>()

  function changed(signal: AbortSignal, ms?: number): Promise<void> {
    return new Promise(resolve => {
      const timer = ms === undefined ? undefined : setTimeout(done, ms)
      signal.addEventListener('abort', done, { once: true })
      calls.add(done)

      function done() {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        calls.delete(done)
        resolve()
      }
    })
  }

  function tell() {
    for (const call of [...calls]) call()
  }

  async function queueUp(signal: AbortSignal, ticket: Ticket, remainingMs: () => number): Promise<boolean> {
    tickets.push(ticket)
    if (tickets[0] !== ticket) tickets[0]?.onWanted()
    while (!signal.aborted) {
      const isFirst = tickets[0] === ticket
      const ms = isFirst ? remainingMs() : undefined
      if (ms !== undefined && ms <= 0) return true
      await changed(signal, ms)
    }
    remove(ticket)
    return false
  }

  function remove(ticket: Ticket) {
    const index = tickets.indexOf(ticket)
    if (index < 0) return
    tickets.splice(index, 1)
    tell()
  }

  function besideRemainingMs(): number {
    return Math.max(0, ...beside.values()) - performance.now()
  }

  function runBeside(): () => void {
    const place = Symbol('beside')
    beside.set(place, performance.now() + besideMs)
    return () => {
      if (beside.delete(place)) tell()
    }
  }

  return {
    async take(signal, onWanted = () => undefined) {
      const ticket = { onWanted }
      if (!(await queueUp(signal, ticket, besideRemainingMs))) return null
      return { isWanted: () => tickets.length > 1, end: () => remove(ticket) }
    },
    runBeside,
    async pass(signal) {
      const ticket = { onWanted: () => undefined }
      await queueUp(signal, ticket, () => 0)
      const leave = runBeside()
      remove(ticket)
      return leave
    }
  }
}
