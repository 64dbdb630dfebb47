import { isUtf8 } from 'node:buffer'
import { sdkErrors } from './errors.ts'
import { cutPointer, toPointer } from './pointer.ts'
import { textOfValue } from './record.ts'
import type { Fault } from './types.ts'

/** Containers inside one another, the outermost counts. */
export const MAX_DEPTH = 64

/** `SMG_SDK_BAD_JSON` with the place of the fault. */
export type BadJsonError = InstanceType<typeof sdkErrors.SMG_SDK_BAD_JSON> & { readonly faults: readonly Fault[] }

/**
 * Parses a value that can be stored and given back equal. What it refuses, `JSON.parse` or PostgreSQL's jsonb would
 * change or refuse later: bytes that are not UTF-8, `\u0000`, a lone surrogate, a number beyond a double, a member
 * named `__proto__` or `constructor`, and more than 64 containers inside one another.
 *
 * @throws SMG_SDK_BAD_JSON with `faults`
 */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw badJson('', 'is empty')
  if (!isUtf8(bytes)) throw badJson('', 'is not UTF-8')

  const text = textOfValue(bytes)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    // V8 quotes the text in its message; how much of it is its own affair, so only the place is taken over.
    const place = /position (\d+)/.exec((cause as Error).message)?.[1]
    throw badJson('', place ? `is not JSON, at character ${place}` : 'is not JSON', cause)
  }
  // Neither character comes out of UTF-8 and JSON but by an escape.
  const fault = findFault(value, '', 1, text.includes('\\u'))
  if (fault) throw badJson(fault.path, fault.message)
  return value
}

/** Gives the first part of a parsed value that cannot be stored, or null. */
function findFault(value: unknown, path: string, depth: number, hasEscapes: boolean): Fault | null {
  if (typeof value === 'string') return hasEscapes ? findTextFault(value, path) : null
  if (typeof value === 'number')
    return Number.isFinite(value) ? null : { path, message: 'is beyond the range of a number' }
  if (typeof value !== 'object' || value === null) return null
  if (depth > MAX_DEPTH) return { path, message: `is nested deeper than ${MAX_DEPTH}` }

  for (const name in value) {
    const isMember = !Array.isArray(value)
    if (isMember && (name === '__proto__' || name === 'constructor')) {
      return { path: toPointer(path, name), message: 'is a name that is not allowed' }
    }
    // The pointer is made only on the way out: nearly every value is sound.
    const fault =
      (isMember && hasEscapes ? findTextFault(name, path) : null) ??
      findFault((value as Record<string, unknown>)[name], '', depth + 1, hasEscapes)
    if (fault) return { path: cutPointer(`${toPointer(path, name)}${fault.path}`), message: fault.message }
  }
  return null
}

function findTextFault(text: string, path: string): Fault | null {
  if (text.includes('\u0000')) return { path, message: 'holds the character \\u0000' }
  if (!text.isWellFormed()) return { path, message: 'holds half of a surrogate pair' }
  return null
}

function badJson(path: string, message: string, cause?: unknown): BadJsonError {
  const error = new sdkErrors.SMG_SDK_BAD_JSON(path ? `${path} ${message}` : `it ${message}`)
  return Object.assign(error, { faults: [{ path, message }], cause })
}
