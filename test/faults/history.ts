import { createWriteStream } from 'node:fs'

/** What became of a request, as far as its sender knows. */
export type SendOutcome =
  | { readonly kind: 'acked'; readonly id: string | null; readonly partition: number; readonly offset: string }
  /** Surely not written. Status 0: nobody was there to send it to. */
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

/** What a record is to become. */
export type Expected = 'effect' | 'dead' | 'either'

/** One line of a history: one event of one request. */
export interface HistoryLine {
  /** Names the event for ever; it stands in the event itself, too. */
  readonly ref: string
  readonly topic: string
  readonly key: string
  /** Counts the events of a key in a topic, in the order in which they were scheduled. */
  readonly seq: number
  readonly expected: Expected
  /** Who sent it: the gateway's clients, or a producer of Kafka that knows nothing of us. */
  readonly from: 'http' | 'foreign'
  readonly idempotencyKey: string | null
  /** Events of one batch have the same number. */
  readonly request: number
  readonly scheduledMs: number
  readonly sentMs: number
  readonly answeredMs: number
  readonly outcome: SendOutcome
}

/** Writes the lines of a history, as they come. */
export interface HistoryWriter {
  add(line: HistoryLine): void
  readonly lines: readonly HistoryLine[]
  close(): Promise<void>
}

/** Opens a history; lines are appended to `file`, and kept in memory for the checker. */
export function openHistory(file: string): HistoryWriter {
  const stream = createWriteStream(file, { flags: 'a' })
  const lines: HistoryLine[] = []
  return {
    lines,
    add(line) {
      lines.push(line)
      stream.write(`${JSON.stringify(line)}\n`)
    },
    close: () => new Promise(resolve => stream.end(resolve))
  }
}
