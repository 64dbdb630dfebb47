import type { FastifyRequest } from 'fastify'
import { toStoredSubject } from './stored-subject.ts'

/** Who asks, as it stands in a table; null without security. */
export function toOperator({ subject }: FastifyRequest): string | null {
  return subject === null ? null : toStoredSubject(subject)
}

/** Writes down what an operator did. */
export function logOperation(
  request: FastifyRequest,
  entry: { readonly event: string; readonly [name: string]: unknown }
) {
  request.log.info({ ...entry, subject: toOperator(request) ?? undefined }, 'security')
}
