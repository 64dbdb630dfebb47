/** A settled event, as `/api/messages` gives it. */
export interface Message {
  readonly id: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly key: string | null
  readonly value: unknown
  readonly headers: Headers
  readonly timestamp: string
  readonly receivedAt: string
}

/** Names to text, or to a list where a name occurred more than once. */
export type Headers = Readonly<Record<string, string | null | readonly (string | null)[]>>

export type DeadLetterState = 'dead' | 'redriving' | 'resolved' | 'discarded'

/** A record that its function could not settle, as `/api/dead-letters` gives it. */
export interface DeadLetter extends Omit<Message, 'receivedAt'> {
  readonly eventId: string
  readonly group: string
  /** Byte for byte; null for a null value. */
  readonly valueBase64: string | null
  readonly stage: string
  readonly disposition: string
  readonly error: { readonly name: string; readonly message: string; readonly stack: string | null }
  readonly attempts: number
  readonly state: DeadLetterState
  readonly createdAt: string
  readonly resolvedAt: string | null
}

/** Dead letters that failed alike. */
export interface DeadLetterGroup {
  readonly topic: string
  readonly stage: string
  readonly disposition: string
  readonly error: { readonly name: string; readonly message: string }
  readonly count: number
  readonly firstAt: string
  readonly lastAt: string
  readonly sampleId: string
}

/** The groups of the newest 20,000 dead letters that match; not complete when there are older ones. */
export interface DeadLetterGroups {
  readonly items: readonly DeadLetterGroup[]
  readonly isComplete: boolean
}

/** What is kept of a value in a list: its row outlives it, and values may be large. */
export interface MessageRow {
  readonly id: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly key: string | null
  readonly preview: string
  readonly timestamp: string
}

const MAX_KEY = 200

/** The row of a message, without its value. */
export function toRow(message: Message, preview: (value: unknown) => string): MessageRow {
  const { id, topic, partition, offset, key, timestamp } = message
  return { id, topic, partition, offset, key: cutKey(key), preview: preview(message.value), timestamp }
}

/** A key as a list shows it. */
export function cutKey(key: string | null): string | null {
  return key !== null && key.length > MAX_KEY ? `${Array.from(key.slice(0, MAX_KEY)).join('')}…` : key
}

/** All headers as pairs, in order. */
export function toPairs(headers: Headers): [name: string, value: string | null][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one: string | null): [string, string | null] => [name, one])
  )
}

/** The ids of a `traceparent` (https://www.w3.org/TR/trace-context/); null when there is none. */
export function findTrace(headers: Headers): { readonly traceId: string; readonly parentId: string } | null {
  const { traceparent } = headers
  const [, traceId, parentId] = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-/.exec(String(traceparent)) ?? []
  return traceId && parentId ? { traceId, parentId } : null
}
