import { createHash } from 'node:crypto'

const MAX_LENGTH = 256
const PRINTABLE = /^[^\p{Cc}\p{Cs}]*$/u

/** A subject as it stands in a table: what would not fit an index or a text of PostgreSQL is hashed. */
export function toStoredSubject(subject: string): string {
  if (subject.length <= MAX_LENGTH && PRINTABLE.test(subject)) return subject
  return `sha256:${createHash('sha256').update(JSON.stringify(subject)).digest('hex')}`
}
