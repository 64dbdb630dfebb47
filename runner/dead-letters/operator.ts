import { randomUUID } from 'node:crypto'
import { userInfo } from 'node:os'
import type { Operation } from '../../db/queries/audit.ts'

/** A call of a command, as the audit knows it: by the account that it runs under. */
export function toOperation(): Operation {
  return { id: randomUUID(), operator: `cli:${findAccount()}`, requestId: null }
}

// A container may run under a number that has no name.
function findAccount(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
