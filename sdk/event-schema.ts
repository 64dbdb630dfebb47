import { KindGuard, type TSchema } from '@sinclair/typebox'
import { Ajv, type ErrorObject, type FormatDefinition } from 'ajv'
import formats from 'ajv-formats'
import { cutPointer, toPointer } from './pointer.ts'
import type { Fault } from './types.ts'

const MAX_FAULTS = 20

// Data, and conditions on a whole that is judged elsewhere: a closed object in `not` or `if` would say something else.
const LEFT_ALONE = new Set(['default', 'examples', 'const', 'enum', 'not', 'if'])
// Several judges of one value; in all others a value of its own begins.
const SAME_VALUE = new Set(['anyOf', 'oneOf', 'then', 'else'])

/**
 * Closes every object of a schema that does not say what it does with unknown properties: it refuses them. Parts of an
 * intersection stay open, because each of them would refuse the other's properties.
 */
export function closeObjects<S extends TSchema>(schema: S): S {
  return close(schema, true) as S
}

function close(schema: unknown, isWhole: boolean): unknown {
  if (Array.isArray(schema)) return schema.map(part => close(part, isWhole))
  if (typeof schema !== 'object' || schema === null) return schema

  const closed: Record<PropertyKey, unknown> = {}
  for (const name of Reflect.ownKeys(schema)) {
    const part = (schema as Record<PropertyKey, unknown>)[name]
    if (typeof name === 'symbol' || LEFT_ALONE.has(name)) closed[name] = part
    else if (name === 'properties') closed[name] = mapValues(part as object, child => close(child, true))
    else closed[name] = close(part, SAME_VALUE.has(name) ? isWhole : name !== 'allOf')
  }
  const isOpen = isWhole && closed.type === 'object' && closed.properties && !('additionalProperties' in closed)
  if (isOpen) closed.additionalProperties = false
  return closed
}

function mapValues(object: object, map: (value: unknown) => unknown) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]))
}

// One for all: before it judges its first schema, Ajv compiles the schema of schemas, which costs more than most of ours.
const schemaJudge = createAjv({})

/**
 * Compiles the check of an event. Gateway and runner share it: what the one accepted, the other does not refuse.
 *
 * @returns what is wrong with an event, at most 20 faults, or null
 * @throws what Ajv says about a schema that is wrong or uses a format that nobody knows
 */
export function compileSchema(schema: TSchema): (event: unknown) => readonly Fault[] | null {
  schemaJudge.validateSchema(schema, true)
  // Each on its own: in one, equal values of `$id` would meet.
  const validate = createAjv({ validateSchema: false }).compile(schema)

  return event => (validate(event) ? null : (validate.errors ?? []).slice(0, MAX_FAULTS).map(toFault))
}

function createAjv(options: { validateSchema?: boolean }): Ajv {
  const ajv = new Ajv({
    allErrors: false,
    strict: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    ...options
  })
  addFormats(ajv)
  return ajv
}

// A time in UTC as `toISOString` writes it, on a day that every year has.
const MONTH_DAY =
  '(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))'
const USUAL_TIME = new RegExp(`^\\d{4}-${MONTH_DAY}T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?Z$`)

function addFormats(ajv: Ajv) {
  // `default` because ajv-formats is CommonJS.
  formats.default(ajv)
  const stock = formats.default.get('date-time') as FormatDefinition<string> & { validate: (text: string) => boolean }
  // Its own check takes a text apart: a tenth of what the runner makes of a record, and of its garbage.
  ajv.addFormat('date-time', { ...stock, validate: (text: string) => USUAL_TIME.test(text) || stock.validate(text) })
}

function toFault({ instancePath, keyword, message = 'is wrong', params }: ErrorObject): Fault {
  const member =
    keyword === 'required'
      ? params.missingProperty
      : keyword === 'additionalProperties'
        ? params.additionalProperty
        : null
  if (member === null) return { path: cutPointer(instancePath), message: toMessage(keyword, message, params) }

  return {
    path: toPointer(instancePath, String(member)),
    message: keyword === 'required' ? 'is missing' : 'is not known'
  }
}

function toMessage(keyword: string, message: string, params: Record<string, unknown>): string {
  return keyword === 'const' ? `must be ${JSON.stringify(params.allowedValue)}` : message
}

/** Says whether a value is a TypeBox schema. */
export function isSchema(value: unknown): value is TSchema {
  return KindGuard.IsSchema(value)
}
