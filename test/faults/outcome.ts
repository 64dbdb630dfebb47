import type { SendOutcome } from './history.ts'
import type { HttpAnswer } from './http-client.ts'

// Kafka may have it all the same.
const UNSURE = new Set(['SMG_GATEWAY_NOT_ACKNOWLEDGED', 'SMG_GATEWAY_INTERNAL'])

interface Result {
  readonly id?: string
  readonly partition?: number
  readonly offset?: string
  readonly status?: number
  readonly code?: string
  readonly error?: { readonly code?: string }
}

/** Translates an answer to a batch: one outcome an event, in their order. */
export function toOutcomes(answer: HttpAnswer, count: number): SendOutcome[] {
  const results = answer.kind === 'answer' && (answer.body as { results?: Result[] } | null)?.results
  if (!results || answer.kind !== 'answer') return Array.from({ length: count }, () => toOutcome(answer))
  return results.map(result => toResult(result, result.status ?? answer.status))
}

/** Translates an answer to a single event. */
export function toOutcome(answer: HttpAnswer): SendOutcome {
  if (answer.kind === 'unsent') return { kind: 'refused', status: 0, reason: answer.reason }
  if (answer.kind === 'lost') return { kind: 'unknown', reason: answer.reason }
  return toResult((answer.body ?? {}) as Result, answer.status)
}

function toResult({ id, partition, offset, code, error }: Result, status: number): SendOutcome {
  if (status < 300 && offset !== undefined && partition !== undefined) {
    return { kind: 'acked', id: id ?? null, partition, offset }
  }
  const reason = code ?? error?.code ?? `status ${status}`
  const isUnsure = status >= 500 && (UNSURE.has(reason) || reason.startsWith('status'))
  return isUnsure ? { kind: 'unknown', reason } : { kind: 'refused', status, reason }
}
