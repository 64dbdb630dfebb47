import { createHash } from 'node:crypto'
import type { NewDeadLetter } from '../db/queries/dead-letter-writes.ts'
import type { OutboxEntry } from '../db/queries/outbox.ts'
import { MAX_MESSAGE_BYTES } from '../kafka/topic-drift.ts'
import { timestampMsOf } from '../sdk/event-id.ts'
import { toTime } from '../sdk/record.ts'
import { DLQ_HEADERS, DLQ_PREFIX, parseOffset, parsePartition } from './dead-letter-headers.ts'

/** Where dead letters come from, and where their copies go. */
export interface MirrorPlace {
  readonly groupId: string
  /** The function's; its name in Kafka is `kafkaTopic`. */
  readonly topic: string
  readonly kafkaTopic: string
  readonly mirrorTopic: string
}

/** Makes the copy of a dead letter, for the outbox. */
export type ToMirrorEntry = (letter: NewDeadLetter) => OutboxEntry

type Header = OutboxEntry['headers'][number]

const MAX_NAME = 249
const MAX_MESSAGE = 1_024
const MAX_STACK = 8_192
// What a batch of one record has besides the record (61), and what the record has besides its bytes, at most.
const OVERHEAD_BYTES = 128
const HEADER_OVERHEAD_BYTES = 10

/**
 * Gives the topic of a group's dead letters, without TOPIC_PREFIX: two groups may fail on one topic. What Kafka would
 * find too long ends in a hash.
 */
export function toMirrorTopic(
  { groupId, topic }: { groupId: string; topic: string },
  toKafkaTopic: (topic: string) => string
): string {
  const name = `dlq.${groupId}.${topic}`
  const room = MAX_NAME - toKafkaTopic('').length
  if (name.length <= room) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 16)
  return `${name.slice(0, room - hash.length - 1)}.${hash}`
}

/** Builds the making of copies of one function's dead letters. */
export function createMirror(place: MirrorPlace): ToMirrorEntry {
  return letter => toMirrorEntry(place, letter)
}

/**
 * Makes the copy of a dead letter: key, value, headers and time as they were, then the headers of `DLQ_HEADERS`. Those
 * that the record had from an earlier failure are replaced, save its first coordinates. What does not fit into a message
 * is cut: the stack, then the message, then there is no value.
 */
export function toMirrorEntry(place: MirrorPlace, letter: NewDeadLetter): OutboxEntry {
  const { partition, eventId, key, value, timestamp } = letter
  const own = letter.headers.filter(([name]) => !name.startsWith(DLQ_PREFIX))
  const facts = toFacts(place, letter)
  const sizeWithout = OVERHEAD_BYTES + bytesOf(key) + sizeOf(own) + sizeOf(facts)
  const roomWithValue = MAX_MESSAGE_BYTES - sizeWithout - bytesOf(value)
  const isWhole = roomWithValue >= 0
  const headers = isWhole
    ? [...own, ...facts, ...toReason(letter, roomWithValue)]
    : [
        ...own,
        ...facts,
        ...toReason(letter, MAX_MESSAGE_BYTES - sizeWithout - 64),
        toHeader(DLQ_HEADERS.truncated, 'value')
      ]
  return { topic: place.mirrorTopic, partition, eventId, key, value: isWhole ? value : null, headers, timestamp }
}

function toFacts({ groupId, topic, kafkaTopic }: MirrorPlace, letter: NewDeadLetter): Header[] {
  const first = findFirstPlace(letter.headers) ?? {
    topic: kafkaTopic,
    partition: String(letter.partition),
    offset: letter.offset
  }
  return [
    toHeader(DLQ_HEADERS.topic, first.topic),
    toHeader(DLQ_HEADERS.partition, first.partition),
    toHeader(DLQ_HEADERS.offset, first.offset),
    toHeader(DLQ_HEADERS.group, groupId),
    toHeader(DLQ_HEADERS.attempts, String(letter.attempts)),
    toHeader(DLQ_HEADERS.errorName, letter.errorName),
    toHeader(DLQ_HEADERS.stage, letter.stage),
    toHeader(DLQ_HEADERS.disposition, letter.disposition),
    // A dead letter's id was made when it was.
    toHeader(DLQ_HEADERS.failedAt, toTime(timestampMsOf(letter.id))),
    toHeader(DLQ_HEADERS.functionTopic, topic),
    toHeader(DLQ_HEADERS.eventId, letter.eventId)
  ]
}

/** Where the record failed first, when it was a copy of a dead letter itself and says so; null else. */
function findFirstPlace(headers: NewDeadLetter['headers']) {
  const find = (name: string) => {
    const found = headers.find(([header]) => header === name)?.[1]
    return found === undefined || found === null ? null : Buffer.from(found, 'base64')
  }
  const topic = find(DLQ_HEADERS.topic)?.toString('utf8')
  const partition = parsePartition(find(DLQ_HEADERS.partition))
  const offset = parseOffset(find(DLQ_HEADERS.offset))
  if (!topic || topic.length > MAX_NAME || partition === null || offset === null) return null
  return { topic, partition: String(partition), offset }
}

/** Message and stack, in what room there is. */
function toReason({ errorMessage, errorStack }: NewDeadLetter, room: number): Header[] {
  const reason: Header[] = []
  let left = room

  for (const [name, text, maxLength] of [
    [DLQ_HEADERS.message, errorMessage, MAX_MESSAGE],
    [DLQ_HEADERS.stack, errorStack, MAX_STACK]
  ] as const) {
    const maxBytes = left - HEADER_OVERHEAD_BYTES - name.length
    if (text === null || maxBytes <= 0) continue
    const header = toHeader(name, cut(text.slice(0, maxLength).toWellFormed(), maxBytes))
    reason.push(header)
    left -= sizeOf([header])
  }
  return reason
}

function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxBytes) return text
  // Half a character at the end is none.
  return bytes
    .subarray(0, maxBytes)
    .toString('utf8')
    .replace(/\ufffd$/, '')
}

function toHeader(name: string, text: string): Header {
  return [name, Buffer.from(text).toString('base64')]
}

function sizeOf(headers: readonly Header[]): number {
  return headers.reduce(
    (sum, [name, value]) => sum + HEADER_OVERHEAD_BYTES + Buffer.byteLength(name) + bytesOf(value),
    0
  )
}

function bytesOf(base64: string | null): number {
  return base64 === null ? 0 : Buffer.byteLength(base64, 'base64')
}
