/** What the form reads of a JSON Schema; everything else is the gateway's to judge. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly title?: string
  readonly description?: string
  readonly format?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly examples?: readonly unknown[]
  readonly default?: unknown
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
}

/**
 * What stands in a form: the text of a field, the drafts of a group or of a list; undefined for an optional group or list
 * that is not there. A field without text is left out of the event, unless it is a text that is required.
 */
export type Draft = string | { readonly [name: string]: Draft | undefined } | readonly Draft[] | undefined

/** How a part of an event is put in. `json` is what no other kind can show. */
export type Kind = 'text' | 'number' | 'choice' | 'group' | 'list' | 'json'

export interface Fault {
  /** JSON pointer; empty for the whole. */
  readonly path: string
  readonly message: string
}

export interface Place {
  /** JSON pointer of the part. */
  readonly pointer: string
  readonly isRequired: boolean
}

export const WHOLE: Place = { pointer: '', isRequired: true }

const BOOLEANS = [true, false]

export function kindOf(schema: JsonSchema): Kind {
  if (choicesOf(schema)) return 'choice'
  if (schema.type === 'string') return 'text'
  if (schema.type === 'number' || schema.type === 'integer') return 'number'
  if (schema.type === 'object' && schema.properties) return 'group'
  if (schema.type === 'array' && schema.items && !Array.isArray(schema.items)) return 'list'
  return 'json'
}

/** The values that a part may have; null where they are not listed. */
export function choicesOf({ type, anyOf, ...schema }: JsonSchema): readonly unknown[] | null {
  if (type === 'boolean') return BOOLEANS
  if (schema.enum) return schema.enum
  if ('const' in schema) return [schema.const]
  const isListed = anyOf && anyOf.length > 0 && anyOf.every(part => 'const' in part)
  return isListed ? anyOf.map(part => part.const) : null
}

/** The parts of a group with their places, required ones first. */
export function partsOf({ properties = {}, required = [] }: JsonSchema, pointer: string) {
  const parts = Object.entries(properties).map(([name, schema]) => ({
    name,
    schema,
    place: { pointer: toPointer(pointer, name), isRequired: required.includes(name) }
  }))
  return parts.toSorted((a, b) => Number(b.place.isRequired) - Number(a.place.isRequired))
}

export function toPointer(pointer: string, name: string | number): string {
  return `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/** The draft that shows a value; `undefined` gives the draft of nothing. What does not fit is shown as JSON. */
export function toDraft(schema: JsonSchema, value: unknown, place: Place = WHOLE): Draft {
  const kind = kindOf(schema)
  if (kind === 'group') {
    if (value === undefined && !place.isRequired) return undefined
    const members = isObject(value) ? value : {}
    return Object.fromEntries(
      partsOf(schema, place.pointer).map(part => [part.name, toDraft(part.schema, members[part.name], part.place)])
    )
  }
  if (kind === 'list') {
    if (value === undefined && !place.isRequired) return undefined
    return (Array.isArray(value) ? value : []).map(item => toDraft(schema.items ?? {}, item))
  }
  if (value === undefined) return ''
  if (kind === 'text' && typeof value === 'string') return value
  return JSON.stringify(value, null, kind === 'json' ? 2 : undefined)
}

/** The value that a draft stands for, and what cannot be read; undefined where it says nothing. */
export function toValue(schema: JsonSchema, draft: Draft, place: Place = WHOLE): { value: unknown; faults: Fault[] } {
  if (draft === undefined) return { value: undefined, faults: [] }
  if (typeof draft === 'string') return toLeaf(schema, draft, place)
  return Array.isArray(draft)
    ? toList(schema, draft, place)
    : toGroup(schema, draft as Exclude<typeof draft, readonly Draft[]>, place)
}

function toLeaf(schema: JsonSchema, text: string, { pointer, isRequired }: Place): { value: unknown; faults: Fault[] } {
  const kind = kindOf(schema)
  if (kind === 'text') return { value: text === '' && !isRequired ? undefined : text, faults: [] }
  if (text.trim() === '') return { value: undefined, faults: [] }

  const value = kind === 'number' ? toNumber(text) : toJson(text)
  if (value !== undefined) return { value, faults: [] }
  return { value, faults: [{ path: pointer, message: kind === 'number' ? 'is no number' : 'is no JSON' }] }
}

function toNumber(text: string): number | undefined {
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the caller says so at the field
  }
}

function toList(schema: JsonSchema, drafts: readonly Draft[], { pointer }: Place) {
  const items = drafts.map((draft, index) =>
    toValue(schema.items ?? {}, draft, { pointer: toPointer(pointer, index), isRequired: true })
  )
  // An item that says nothing has its place in the list all the same.
  return { value: items.map(({ value }) => value ?? null), faults: items.flatMap(({ faults }) => faults) }
}

function toGroup(schema: JsonSchema, drafts: { readonly [name: string]: Draft | undefined }, { pointer }: Place) {
  const parts = partsOf(schema, pointer).map(part => ({
    name: part.name,
    ...toValue(part.schema, drafts[part.name], part.place)
  }))
  const members = parts.filter(({ value }) => value !== undefined).map(({ name, value }) => [name, value])
  return { value: Object.fromEntries(members), faults: parts.flatMap(({ faults }) => faults) }
}

/** Says whether a form shows all of a value: whether it comes back as it went in. */
export function isShown(schema: JsonSchema, value: unknown): boolean {
  return isEqual(toValue(schema, toDraft(schema, value)).value, value)
}

/**
 * An event to begin with, made of the schema's examples, defaults and choices; undefined where there is nothing to go by.
 * What is optional is left out, unless `withOptional`.
 */
export function exampleOf(schema: JsonSchema, { withOptional = false } = {}): unknown {
  const { examples, default: preset } = schema
  const given = examples?.[0] ?? preset ?? choicesOf(schema)?.[0]
  if (given !== undefined) return given

  if (kindOf(schema) === 'group') {
    const parts = partsOf(schema, '').filter(({ place }) => place.isRequired || withOptional)
    const members = parts.map(part => [part.name, exampleOf(part.schema, { withOptional })] as const)
    return Object.fromEntries(members.filter(([, value]) => value !== undefined))
  }
  if (kindOf(schema) === 'list') {
    const item = exampleOf(schema.items ?? {}, { withOptional })
    return item === undefined ? [] : [item]
  }
  return schema.format === 'date-time' ? new Date().toISOString() : undefined
}

/** What a part may be, in a few words; empty where its control says it. */
export function describeLimits(schema: JsonSchema): string {
  const { type, format, minLength = 0, maxLength, minimum, maximum } = schema
  if (choicesOf(schema)) return ''
  const words = wordsOf(type, format)
  if (maxLength !== undefined) return `${words}, ${minLength} to ${maxLength.toLocaleString('en')} characters`
  if (minLength > 0) return `${words}, at least ${minLength} characters`
  if (minimum !== undefined && maximum !== undefined) return `${words}, ${minimum} to ${maximum}`
  if (minimum !== undefined) return `${words}, at least ${minimum}`
  return maximum === undefined ? words : `${words}, at most ${maximum}`
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  number: 'number',
  object: 'JSON object',
  array: 'JSON list',
  'date-time': 'date and time, ISO 8601'
}

function wordsOf(type: JsonSchema['type'], format: string | undefined): string {
  const name = format ?? String(type)
  return Object.hasOwn(WORDS, name) ? (WORDS[name] as string) : (format ?? 'JSON')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEqual(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => isEqual(item, b[index]))
  if (!isObject(a) || !isObject(b)) return Object.is(a, b)
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length && names.every(name => Object.hasOwn(b, name) && isEqual(a[name], b[name]))
  )
}
