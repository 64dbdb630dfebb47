import { Readable } from 'node:stream'

/** Events that one client is shown a second; the rest is counted. */
export const MAX_RATE = 50
/** A client that lost its stream comes again after so long. */
const RETRY_MS = 1_000
/** A stream that is over waits so long for its client to read the rest. */
const DRAIN_MS = 1_000

/**
 * Server-sent events for one client (https://html.spec.whatwg.org/multipage/server-sent-events.html). Nothing waits for a
 * client that reads slowly: what it has no room for is counted, and it is told how much that was when it reads on.
 */
export interface EventStream {
  /** The body of the answer; it closes when the client has gone. */
  readonly body: Readable
  /**
   * Sends the last of some events, oldest first, as many as the client has room and rate for.
   *
   * @param total of which these are a part: the others are counted as skipped; null when nobody knows how many they are
   */
  show(events: readonly string[], total: number | null): void
  /** Sends an event that has nothing to say but its name. */
  tell(name: 'away' | 'back'): void
  /** Sends what nobody is told, so that nobody takes the connection for dead. */
  beat(): void
  /** Ends it; a client that does not read loses its connection a second later, for nobody else can end that. */
  end(): void
}

/** Writes an event. A line of its data would be another event's: JSON has lines only where it may as well have spaces. */
export function toEvent(name: string, json: string, id?: string): string {
  const lines = id === undefined ? '' : `id: ${id}\n`
  return `${lines}event: ${name}\ndata: ${json.replace(/[\r\n]/g, ' ')}\n\n`
}

/** Builds a stream. */
export function createEventStream({ steadyMs }: { steadyMs: () => number }): EventStream {
  let isFull = false
  let isOver = false
  let skipped = 0
  let isCounted = true
  let allowed = MAX_RATE
  let filledMs = steadyMs()
  const body = new Readable({
    read() {
      isFull = false
    }
  })
  body.push(`retry: ${RETRY_MS}\n\n`)

  function fill() {
    const nowMs = steadyMs()
    allowed = Math.min(MAX_RATE, allowed + ((nowMs - filledMs) * MAX_RATE) / 1_000)
    filledMs = nowMs
  }

  function send(text: string) {
    if (!isOver && !body.destroyed) isFull = !body.push(text)
  }

  return {
    body,
    show(events, total) {
      fill()
      const shown = isFull || allowed < 1 ? [] : events.slice(-Math.floor(allowed))
      skipped += Math.max(total ?? 0, events.length) - shown.length
      isCounted &&= total !== null
      if (isFull) return
      if (skipped > 0 || !isCounted) send(toEvent('skipped', JSON.stringify({ count: isCounted ? skipped : null })))
      skipped = 0
      isCounted = true
      for (const event of shown) {
        if (isFull) skipped += 1
        else {
          send(event)
          allowed -= 1
        }
      }
    },
    tell: name => send(toEvent(name, '{}')),
    beat: () => send(': \n\n'),
    end() {
      if (isOver || body.destroyed) return
      isOver = true
      body.push(null)
      const timer = setTimeout(() => body.destroy(), DRAIN_MS)
      body.once('close', () => clearTimeout(timer))
    }
  }
}
