import { isUtf8 } from 'node:buffer'
import { Type } from '@sinclair/typebox'
import { compileSchema } from '../sdk/event-schema.ts'
import { type BadJsonError, parseJson } from '../sdk/parse-json.ts'
import type { Fault, LoadedFunction } from '../sdk/types.ts'
import { gatewayErrors, withExtras } from './errors.ts'
import type { ValidEvent } from './produce.ts'
import { MAX_EVENT_BYTES } from './sizes.ts'
import { toJsonText } from './to-json-text.ts'

/** One event of a batch that was not let in. */
export interface RefusedEvent {
  readonly error: Error & { readonly code: string; readonly statusCode?: number; readonly faults?: readonly Fault[] }
}

/** An event of a batch, valid or not. */
export type ParsedEvent = ValidEvent | RefusedEvent

const findEnvelopeFaults = compileSchema(
  Type.Object({ events: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 1000 }) }, { additionalProperties: false })
)

// What JSON lets stand before a number: a colon, a comma, a bracket, white space; or nothing.
const BEFORE_VALUE = new Set([...Buffer.from(':,[ \t\n\r'), undefined])

/**
 * Parses the body of a batch. An event that is wrong does not spoil its neighbours: it becomes an error in its place.
 *
 * @returns one member an event, in their order
 * @throws SMG_GATEWAY_INVALID when the body is no batch at all
 */
export function parseBatch(bytes: Buffer, definition: LoadedFunction): ParsedEvent[] {
  const { events, isSound } = parseEnvelope(bytes)
  // JSON.stringify writes -0 as 0, and what is stored equals what was sent.
  const toText = isSound && !mayHoldMinusZero(bytes) ? JSON.stringify : toJsonText

  return events.map(event => {
    const value = Buffer.from(toText(event))
    if (value.length > MAX_EVENT_BYTES) return { error: new gatewayErrors.SMG_GATEWAY_TOO_LARGE(MAX_EVENT_BYTES) }

    const faults = (isSound ? null : findJsonFaults(value)) ?? definition.findFaults(event)
    return faults ? { error: toInvalid(faults) } : { event, value }
  })
}

/**
 * Whether a number may be -0: the sign stands where a value begins. A `-0` behind a letter or a digit, as in an id or a
 * date, is none; one behind such a sign within a text is taken for one, which costs time and changes nothing.
 */
function mayHoldMinusZero(bytes: Buffer): boolean {
  for (let at = bytes.indexOf('-0'); at >= 0; at = bytes.indexOf('-0', at + 2)) {
    if (BEFORE_VALUE.has(bytes[at - 1])) return true
  }
  return false
}

/** An error that lists what is wrong with the client's input. */
export function toInvalid(faults: readonly Fault[], cause?: unknown) {
  const [{ path, message } = { path: '', message: 'is wrong' }] = faults
  const error = new gatewayErrors.SMG_GATEWAY_INVALID(`${path || 'the body'} ${message}`)
  return withExtras(error, cause === undefined ? { faults } : { faults, cause })
}

/** A batch whose every part can be stored is sound; one that is JSON at least is looked through event by event. */
function parseEnvelope(bytes: Buffer): { events: unknown[]; isSound: boolean } {
  let body: unknown
  let isSound = true
  try {
    body = parseJson(bytes)
  } catch (thrown) {
    isSound = false
    body = parseLoosely(bytes)
    if (body === undefined) throw toInvalid((thrown as BadJsonError).faults, thrown)
  }
  const faults = findEnvelopeFaults(body)
  if (faults) throw toInvalid(faults)
  return { events: (body as { events: unknown[] }).events, isSound }
}

function parseLoosely(bytes: Buffer): unknown {
  try {
    return isUtf8(bytes) ? JSON.parse(bytes.toString('utf8')) : undefined
  } catch {
    return undefined // the strict parser has said why already
  }
}

function findJsonFaults(value: Buffer): readonly Fault[] | null {
  try {
    parseJson(value)
    return null
  } catch (thrown) {
    return (thrown as BadJsonError).faults
  }
}
