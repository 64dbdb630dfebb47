import type { FastifyReply } from 'fastify'
import { gatewayErrors, withExtras } from './errors.ts'
import type { ParsedEvent, RefusedEvent } from './parse-batch.ts'
import type { ProduceOutcome } from './produce.ts'

type CodedError = RefusedEvent['error']

interface Accepted {
  readonly index: number
  readonly status: 202
  readonly id: string
  readonly partition: number
  readonly offset: string
}

interface Refused {
  readonly index: number
  readonly status: number
  readonly error: { readonly code: string; readonly detail: string; readonly errors?: CodedError['faults'] }
}

export type BatchResult = Accepted | Refused

const MAX_FAULTS = 100

/** One that a repeat may still write, or has written: nobody knows. */
export function isOpen({ status }: BatchResult): boolean {
  return status === 503
}

/**
 * Puts what became of the valid events back among those that were refused at once: one result an event, in order.
 * Where a result of `before` is certain, it counts, and there is no outcome of that event. The first event has `firstIndex`,
 * 0 by default.
 */
export function toBatchResults(
  parsed: readonly ParsedEvent[],
  outcomes: readonly ProduceOutcome[],
  { before = [], firstIndex = 0 }: { before?: readonly BatchResult[]; firstIndex?: number } = {}
): BatchResult[] {
  const rest = outcomes.values()
  return parsed.map((one, at) => {
    const index = firstIndex + at
    const known = before[index]
    if (known && !isOpen(known)) return known
    const outcome = 'error' in one ? one : (rest.next().value as ProduceOutcome)
    if ('error' in outcome) return toRefused(index, outcome.error as CodedError)

    const { id, partition, offset } = outcome
    return { index, status: 202, id, partition, offset }
  })
}

/**
 * Answers a batch: 202 when all were accepted, 207 when some were. None: the world's fault outranks the client's. `place` is the
 * JSON pointer of the events in the body.
 *
 * @throws SMG_GATEWAY_BATCH_REFUSED | SMG_GATEWAY_KAFKA_AWAY | SMG_GATEWAY_NOT_ACKNOWLEDGED with the results
 */
export function answerBatch(reply: FastifyReply, results: readonly BatchResult[], place: string) {
  const accepted = results.filter(({ status }) => status === 202).length
  if (accepted > 0) return reply.code(accepted === results.length ? 202 : 207).send({ results })

  const codes = results.flatMap(result => ('error' in result && isOpen(result) ? [result.error.code] : []))
  if (codes.length > 0) throw withExtras(toUnavailable(codes), { results, retryAfterSeconds: 1 })
  throw withExtras(new gatewayErrors.SMG_GATEWAY_BATCH_REFUSED(), { results, faults: toFaults(results, place) })
}

/** Nothing was written, but where the outcome of a single event is unknown, that is what must be said. */
function toUnavailable(codes: readonly string[]) {
  const isUnknown = codes.includes('SMG_GATEWAY_NOT_ACKNOWLEDGED')
  return isUnknown ? new gatewayErrors.SMG_GATEWAY_NOT_ACKNOWLEDGED() : new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY()
}

function toRefused(index: number, { code, message, statusCode = 500, faults }: CodedError): Refused {
  return { index, status: statusCode, error: { code, detail: message, ...(faults && { errors: faults }) } }
}

function toFaults(results: readonly BatchResult[], place: string) {
  const faults = results.flatMap(result => {
    if (!('error' in result)) return []
    const { detail, errors = [{ path: '', message: detail }] } = result.error
    return errors.map(({ path, message }) => ({ path: `${place}/${result.index}${path}`, message }))
  })
  return faults.slice(0, MAX_FAULTS)
}
