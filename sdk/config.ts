import { type Static, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { sdkErrors } from './errors.ts'

/** A schema whose values are secrets: they are named in no message. */
export const secret = { secret: true }

/**
 * Reads variables through a schema: text becomes number or boolean, an empty variable counts as unset, defaults fill in.
 *
 * @returns a frozen object with one member a variable of the schema; variables that the schema does not name are ignored
 * @throws SMG_SDK_BAD_SETTING with variable, value and what it may be, for the first that is wrong
 */
export function parseSettings<P extends TProperties>(properties: P, environment: NodeJS.ProcessEnv) {
  const schema = Type.Object(properties)
  const given: Record<string, unknown> = {}

  for (const [name, property] of Object.entries(properties)) {
    const text = environment[name]?.trim()
    if (text) given[name] = toValue(property, text)
  }
  const settings = Value.Default(schema, given)
  const wrong = Value.Errors(schema, settings).First()

  if (wrong) {
    const name = wrong.path.slice(1)
    const property = properties[name] ?? schema
    throw new sdkErrors.SMG_SDK_BAD_SETTING(name, shown(property, environment[name]), toAllowed(property))
  }
  return Object.freeze(settings) as Readonly<Static<ReturnType<typeof Type.Object<P>>>>
}

function toValue(property: TSchema, text: string): unknown {
  if (property.type === 'integer' || property.type === 'number')
    return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
  if (property.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  return text
}

function shown(property: TSchema, value: string | undefined): string {
  if (value === undefined || value === '') return 'not set'
  return property.secret ? 'set to something else' : JSON.stringify(value.slice(0, 100))
}

function toAllowed(property: TSchema): string {
  if (property.allowed) return property.allowed
  if (property.anyOf) return property.anyOf.map((option: TSchema) => option.const).join(', ')
  if (property.type === 'boolean') return 'true or false'
  if (property.type !== 'integer') return property.type === 'string' ? 'a text that is not empty' : `a ${property.type}`

  const { minimum, maximum } = property
  if (minimum === undefined) return 'a whole number'
  return maximum === undefined ? `a whole number from ${minimum}` : `a whole number from ${minimum} to ${maximum}`
}

/** The variable of what gateway and runner tell of themselves. */
export const telemetrySettings = {
  /** 0: nothing. */
  TELEMETRY_INTERVAL_MS: Type.Integer({ default: 10_000, minimum: 0, maximum: 86_400_000 })
}

/** A choice between words, as a TypeBox schema. */
export function oneOf<const T extends readonly string[]>(words: T, options: { default?: T[number] } = {}) {
  return Type.Union(
    words.map(word => Type.Literal(word)),
    options
  ) as unknown as ReturnType<typeof Type.Unsafe<T[number]>>
}
