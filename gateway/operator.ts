import { randomUUID } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Operation } from '../db/queries/audit.ts'
import { toStoredSubject } from './stored-subject.ts'

/** A request of an operator, as the audit knows it. */
export function toOperation(request: FastifyRequest): Operation {
  return { id: randomUUID(), operator: toOperator(request), requestId: request.id }
}

/** Writes a line about what an operator did. */
export function logOperation(
  request: FastifyRequest,
  entry: { readonly event: string; readonly [name: string]: unknown }
) {
  request.log.info({ ...entry, subject: toOperator(request) ?? undefined }, 'security')
}

/** Who asks, as it stands in a table; null without security. */
function toOperator({ subject }: FastifyRequest): string | null {
  return subject === null ? null : toStoredSubject(subject)
}
