import type { TSchema } from '@sinclair/typebox'
import { closeObjects, compileSchema } from '../sdk/event-schema.ts'
import type { Fault } from '../sdk/types.ts'
import { toInvalid } from './parse-batch.ts'

// By the text of the schema: several routes, and HEAD beside each GET, have the same; a compilation takes milliseconds.
const compiled = new Map<string, (value: unknown) => readonly Fault[] | null>()

const INTEGER = /^-?(0|[1-9]\d{0,14})$/

/**
 * Compiles the check of a query or of path parameters, with the same compiler as events. Only here is text made into
 * numbers, and only where the schema says integer: a body is never changed.
 */
export function compileValidator(schema: TSchema) {
  const findFaults = compileOnce(schema)
  const properties: Record<string, TSchema> = schema.properties ?? {}
  const defaults = defaultsOf(properties)
  // Most requests have no query, and most routes ask for none.
  const isNothingFine = Object.keys(defaults).length === 0 && findFaults({}) === null

  return (given: Record<string, unknown>) => {
    if (isNothingFine && isNothing(given)) return { value: {} }
    const value = { ...defaults, ...toNumbers(given, properties) }
    const faults = findFaults(value) ?? findNul(value)
    return faults ? { error: toInvalid(faults) } : { value }
  }
}

function compileOnce(schema: TSchema) {
  const text = JSON.stringify(schema)
  const findFaults = compiled.get(text) ?? compileSchema(closeObjects(schema))
  compiled.set(text, findFaults)
  return findFaults
}

/** What a check gives: nothing is wrong, the value to go on with, or the error. */
type Checked = true | { readonly value: unknown } | { readonly error: Error }

/** Lets a route check its body by itself; its query and path are compiled as everywhere. */
export function forBody(check: (body: unknown) => Checked) {
  return ({ schema, httpPart }: { schema: unknown; httpPart?: string | undefined }) => {
    if (httpPart === 'body') return check
    // Fields of the header are documented by their schema, and read by those who know their syntax.
    return httpPart === 'headers' ? () => true : compileValidator(schema as TSchema)
  }
}

/** Checks a body that may be left out: it is `{}` then. */
export function forOptionalBody(schema: TSchema) {
  const findFaults = compileOnce(schema)
  return forBody(body => {
    const value = body ?? {}
    const faults = findFaults(value)
    return faults ? { error: toInvalid(faults) } : { value }
  })
}

function isNothing(given: Record<string, unknown>): boolean {
  for (const _name in given) return false
  return true
}

function defaultsOf(properties: Record<string, TSchema>) {
  const withDefault = Object.entries(properties).filter(([, property]) => property.default !== undefined)
  return Object.fromEntries(withDefault.map(([name, property]) => [name, property.default]))
}

function toNumbers(given: Record<string, unknown>, properties: Record<string, TSchema>) {
  const names = Object.keys(given)
  if (names.length === 0) return given
  const entries = names.map(name => {
    const text = given[name]
    const isNumber = properties[name]?.type === 'integer' && typeof text === 'string' && INTEGER.test(text)
    return [name, isNumber ? Number(text) : text]
  })
  // Not by assignment: a parameter `__proto__` would be none.
  return Object.fromEntries(entries)
}

// PostgreSQL's text cannot hold it, in no column.
function findNul(value: Record<string, unknown>): readonly Fault[] | null {
  for (const name in value) {
    const text = value[name]
    if (typeof text === 'string' && text.includes('\u0000'))
      return [{ path: `/${name}`, message: 'holds the character \\u0000' }]
  }
  return null
}
