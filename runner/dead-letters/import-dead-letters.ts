import { type Operation, writeAudit } from '../../db/queries/audit.ts'
import { findKnown, type ImportedLetter, insertImported } from '../../db/queries/dead-letter-import.ts'
import type { TransactionLimits } from '../../db/write-transaction.ts'
import type { Writer } from '../../db/writer.ts'
import type { LogReader } from '../../kafka/log-reader.ts'
import type { FetchedRecord } from '../../kafka/types.ts'
import { type Recognised, recognise } from './dialects.ts'
import { unwrap } from './envelopes.ts'
import { type Found, type Target, toImported } from './to-imported.ts'

/** What an import came to. */
export interface ImportCounts {
  /** Records that the topic held when the import began. */
  total: number
  read: number
  /** New rows; in a dry run, those that there would be. */
  imported: number
  /** Their event had its effect. */
  settled: number
  /** Were there already. */
  present: number
  /** Of the imported: came without a value, and their source does not hold it any more. */
  lost: number
  /** Of the imported, by dialect. */
  readonly dialects: Record<string, number>
}

export interface ImportOptions {
  /** The topic of dead letters, by its whole name in Kafka. */
  readonly topic: string
  readonly groupId: string
  readonly target: Target
  readonly fromEnvelope: boolean
  /** Rows to import at most. */
  readonly limit: number
  readonly isDry: boolean
  /** Whose import it is; in a dry run nothing is written of it. */
  readonly operation: Operation
  /** Ends the import behind the batch that is under way. */
  readonly stop: AbortSignal
  readonly onProgress: (counts: ImportCounts) => void
}

export interface ImportDependencies {
  readonly reader: LogReader
  readonly writer: Writer
  readonly nowMs: () => number
}

const LIMITS: TransactionLimits = { lockTimeoutMs: 10_000, statementTimeoutMs: 60_000, idleTimeoutMs: 30_000 }
const BATCH = { rows: 500, bytes: 4 * 1024 * 1024 }
// An answer without a record may be a slow broker; so many are the end of what can be read.
const EMPTY_ANSWERS = 3

/**
 * Imports the dead letters that another system left in a topic, from its start to where it ended when the import began.
 * A second import, or one that was cut short and is run again, adds only what is not there yet.
 *
 * @throws kafkaErrors and the errors of the database: what was imported before stays
 */
export async function importDeadLetters(
  options: ImportOptions,
  { reader, writer, nowMs }: ImportDependencies
): Promise<ImportCounts> {
  const { topic, groupId, target, limit, isDry, operation, stop, onProgress } = options
  const counts: ImportCounts = { total: 0, read: 0, imported: 0, settled: 0, present: 0, lost: 0, dialects: {} }
  const ranges = await reader.ranges(topic)
  for (const { logStartOffset, logEndOffset } of ranges.values()) counts.total += Number(logEndOffset - logStartOffset)
  // What a dry run would have written.
  const written = new Set<string>()
  let batch: ImportedLetter[] = []
  let batchBytes = 0

  for (const [partition, { logStartOffset, logEndOffset }] of [...ranges].sort(([a], [b]) => a - b))
    await readPartition(partition, logStartOffset, logEndOffset)
  await flush()
  return counts

  function isOver(): boolean {
    return stop.aborted || counts.imported >= limit
  }

  async function readPartition(partition: number, start: bigint, end: bigint): Promise<void> {
    let offset = start
    let empty = 0
    while (offset < end && empty < EMPTY_ANSWERS && !isOver()) {
      const part = await reader.read(topic, partition, offset)
      if (part === null) {
        // Retention was faster.
        offset = (await reader.ranges(topic)).get(partition)?.logStartOffset ?? end
        continue
      }
      empty = part.nextOffset === offset ? empty + 1 : 0
      offset = part.nextOffset
      for (const record of part.records) {
        if (BigInt(record.offset) >= end || isOver()) break
        await take(record, partition)
      }
    }
  }

  async function take(record: FetchedRecord, partition: number): Promise<void> {
    counts.read += 1
    for (const found of await open(record, partition)) {
      const letter = toImported(found, target, nowMs())
      batch.push(letter)
      batchBytes += (letter.value?.length ?? 0) + (letter.key?.length ?? 0)
      counts.dialects[found.recognised.dialect] ??= 0
    }
    const isFull = batch.length >= Math.min(BATCH.rows, limit - counts.imported)
    if (isFull || batchBytes >= BATCH.bytes) await flush()
  }

  async function open(record: FetchedRecord, partition: number): Promise<Found[]> {
    const place = { topic, partition, offset: record.offset }
    const unwrapped = options.fromEnvelope ? unwrap(record) : null
    if (unwrapped) return unwrapped.map((each, part) => ({ ...each, place: { ...place, part }, isLost: false }))

    const found = { record, recognised: recognise(record.headers), place: { ...place, part: 0 }, isLost: false }
    return [isPointer(found) ? await follow(found) : found]
  }

  /** Fetches what a pointer points to. */
  async function follow(pointer: Found): Promise<Found> {
    const { origin, headers } = pointer.recognised
    const source = await findSource(origin)
    if (!source) return { ...pointer, isLost: true }
    const recognised = {
      ...pointer.recognised,
      origin: { ...origin, timestampMs: source.timestampMs },
      // A copy of the headers may have come with the pointer.
      headers: headers.length > 0 ? headers : source.headers
    }
    return { ...pointer, record: source, recognised }
  }

  async function findSource(origin: Recognised['origin']): Promise<FetchedRecord | null> {
    if (origin.topic === null || origin.partition === null || origin.offset === null) return null
    try {
      const range = (await reader.ranges(origin.topic)).get(origin.partition)
      const offset = BigInt(origin.offset)
      if (!range || offset < range.logStartOffset || offset >= range.logEndOffset) return null
      const part = await reader.read(origin.topic, origin.partition, offset)
      return part?.records.find(record => record.offset === origin.offset) ?? null
    } catch (error) {
      if ((error as { code?: unknown }).code === 'SMG_KAFKA_NO_TOPIC') return null
      throw error
    }
  }

  async function flush(): Promise<void> {
    const letters = batch.slice()
    batch = []
    batchBytes = 0
    if (letters.length > 0) await writer.transaction(tx => write(tx, letters), LIMITS)
    onProgress(counts)
  }

  async function write(tx: Parameters<Parameters<Writer['transaction']>[0]>[0], letters: readonly ImportedLetter[]) {
    const { settled, present } = await findKnown(tx, { groupId, topic: target.topic }, letters)
    const fresh = new Map<string, ImportedLetter>()
    let [isSettled, isPresent] = [0, 0]
    for (const letter of letters) {
      const { eventId } = letter
      if (settled.has(eventId)) isSettled += 1
      else if (present.has(eventId) || written.has(eventId) || fresh.has(eventId)) isPresent += 1
      else if (counts.imported + fresh.size < limit) fresh.set(eventId, letter)
    }
    const news = [...fresh.values()]
    if (!isDry && news.length > 0) {
      await insertImported(tx, { groupId, topic: target.topic }, news)
      const deed = {
        action: 'import',
        topic: target.topic,
        details: { from: topic },
        counts: { imported: news.length }
      } as const
      await writeAudit(tx.query, operation, deed)
    }
    for (const { eventId, isLost, origin } of news) {
      written.add(eventId)
      counts.dialects[String(origin.dialect)] = (counts.dialects[String(origin.dialect)] ?? 0) + 1
      if (isLost) counts.lost += 1
    }
    counts.imported += news.length
    counts.settled += isSettled
    counts.present += isPresent
  }
}

/** Whether a dead letter of Kafka's own kind came without its record, or one of ours without its value. */
function isPointer({ record, recognised: { dialect, origin } }: Found): boolean {
  if (dialect !== 'kafka' || record.value !== null) return false
  // Ours that has no value had none, unless it says that there was no room.
  return origin.more.eventId === undefined || origin.more.truncated === 'value'
}
