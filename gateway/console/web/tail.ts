import type { MessageRow } from './records.ts'

/** What a tail shows. */
export interface TailView {
  /** Newest first. */
  readonly rows: readonly MessageRow[]
  /** Rows that wait until the tail goes on. */
  readonly held: number
  /** Messages that came too fast to be shown, or waited too long. */
  readonly skipped: number
  /** False once some were missing and nobody knew how many: there are more than `skipped`. */
  readonly isCounted: boolean
  readonly isPaused: boolean
}

/** Builds the rows of a live view: those of a page of the list and those that arrive, once each, newest first. */
export function createTail({ maxRows = 500 } = {}) {
  let rows: MessageRow[] = []
  let waiting = new Map<string, MessageRow>()
  let known = new Set<string>()
  let skipped = 0
  let isCounted = true
  let isPaused = false

  return {
    /** Takes rows that are there, or that arrive; they are shown by the next `view`, unless the tail is paused. */
    add(arrived: readonly MessageRow[]): void {
      for (const row of arrived) {
        const id = idOf(row)
        if (!known.has(id)) waiting.set(id, row)
      }
      dropOldest()
    },
    /** Counts what is missing; null when nobody knows how much. */
    skip(count: number | null): void {
      skipped += count ?? 0
      isCounted &&= count !== null
    },
    /** Rows that arrived since the last view. */
    waiting: (): number => waiting.size,
    pause(): void {
      isPaused = true
    },
    resume(): void {
      isPaused = false
    },
    view(): TailView {
      if (!isPaused && waiting.size > 0) take()
      return { rows, held: waiting.size, skipped, isCounted, isPaused }
    }
  }

  function take() {
    rows = [...waiting.values(), ...rows].sort(newestFirst).slice(0, maxRows)
    known = new Set(rows.map(idOf))
    waiting = new Map()
  }

  // A pause may last all night.
  function dropOldest() {
    for (const id of waiting.keys()) {
      if (waiting.size <= maxRows) return
      waiting.delete(id)
      skipped += 1
    }
  }
}

/** One id may be in several topics. */
export function idOf({ topic, id }: MessageRow): string {
  return `${topic}/${id}`
}

// As the list is ordered: by time, then id. ISO 8601 in UTC compares as text, once it has the same number of digits.
function newestFirst(a: MessageRow, b: MessageRow): number {
  return compare(toSortable(b.timestamp), toSortable(a.timestamp)) || compare(b.id, a.id)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function toSortable(time: string): string {
  return time.replace('Z', '').padEnd(26, '0')
}
