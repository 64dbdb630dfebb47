import type { IncomingMessage } from 'node:http'

/** By request whose handler reads the body itself: what tells it that the time of the request is over. */
const readers = new WeakMap<IncomingMessage, () => void>()
/** Answered below its handler, before that began to read. */
const answered = new WeakSet<IncomingMessage>()

/**
 * Says that the handler reads the body of a request by itself, and answers whatever becomes of it. `onSlow` is called when
 * the request takes longer than it may, counted from the first byte of its header.
 *
 * @returns false when the client has an answer already: then nothing may be done with the body
 */
export function beginReading(request: IncomingMessage, onSlow: () => void): boolean {
  if (answered.has(request)) return false
  readers.set(request, onSlow)
  return true
}

/** Says whether a handler is at work for a request: it has the whole body, or reads it by itself. */
export function isHandled(request: IncomingMessage): boolean {
  return request.complete || readers.has(request)
}

/** Tells the reader of a body that its time is over; one that has read all of it takes no notice. */
export function endReading(request: IncomingMessage): void {
  readers.get(request)?.()
}

/** Keeps a handler that has not begun from reading: its client gets another answer. */
export function forbidReading(request: IncomingMessage): void {
  answered.add(request)
}
