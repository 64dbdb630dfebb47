import { Writable } from 'node:stream'
import type { PendingQuery } from 'postgres'

/** What the driver's query is besides a promise: it is told here what became of it. */
interface Driven {
  resolve: (answer: unknown) => void
  reject: (error: Error) => void
  execute(): void
}

/**
 * Runs a `COPY … FROM STDIN` with all of its lines, and gives PostgreSQL's answer.
 *
 * The driver's own way (postgres.js 3.4.9, `writable()`) resolves its query with a stream, at the moment when PostgreSQL
 * wants the lines. What it says after the last one, a row that a constraint refuses or how many there are, nobody is
 * told, and the stream never ends. So what the driver would settle its query with comes here: first the stream, then
 * the answer.
 *
 * @param query not sent yet, in the simple protocol
 */
export function copyIn(query: PendingQuery<never>, lines: string): Promise<{ count: number }> {
  const driven = query as unknown as Driven
  return new Promise((resolve, reject) => {
    driven.resolve = answer => {
      if (answer instanceof Writable) feed(answer, lines)
      else resolve(answer as { count: number })
    }
    driven.reject = reject
    driven.execute()
  })
}

function feed(stream: Writable, lines: string) {
  // The query tells of it.
  stream.on('error', () => undefined)
  stream.end(lines)
}

// https://www.postgresql.org/docs/current/sql-copy.html, text format.
const ESCAPED = /[\\\t\n\r\b\f\v]/
const EACH_ESCAPED = /[\\\t\n\r\b\f\v]/g
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v'
}

// As JSON.stringify writes them. Where a text column holds the same characters, this costs an INSERT.
const REFUSED = /\\u(?:0000|d[89a-f])/i

/**
 * Whether a text may be JSON with U+0000 or half of a surrogate pair: a COPY takes that into a column of type json, and
 * json_to_recordset, through which an INSERT goes, does not. What becomes of a row must not depend on its company.
 *
 * @param copied the text as `toCopyText` gives it: only of one with a backslash it is another one
 */
export function isRefusedAsJson(text: string | null, copied: string): boolean {
  return text !== null && text !== copied && REFUSED.test(text)
}

/** A value as it stands in a line of COPY's text format; null is null. */
export function toCopyText(text: string | null): string {
  if (text === null) return '\\N'
  return ESCAPED.test(text) ? text.replace(EACH_ESCAPED, character => ESCAPES[character] ?? character) : text
}
