/** A member of an event, as its schema describes it. */
export interface SchemaRow {
  /** With its parents, parted by points; `[]` is each item of a list. */
  readonly path: string
  readonly name: string
  /** 0 for members of the event itself. */
  readonly depth: number
  readonly type: string
  readonly isRequired: boolean
  readonly rules: readonly string[]
  readonly description: string | null
}

type Schema = Readonly<Record<string, unknown>>

const MAX_DEPTH = 6

/** Reads a JSON Schema into lines, in the order of its members. What it does not understand it leaves out. */
export function toSchemaRows(schema: unknown): SchemaRow[] {
  return isSchema(schema) ? membersOf(schema, '', 0) : []
}

function membersOf(schema: Schema, parent: string, depth: number): SchemaRow[] {
  if (!isSchema(schema.properties) || depth > MAX_DEPTH) return []
  const required = Array.isArray(schema.required) ? schema.required : []

  return Object.entries(schema.properties).flatMap(([name, member]) => {
    if (!isSchema(member)) return []
    const path = parent === '' ? name : `${parent}.${name}`
    const row = {
      path,
      name,
      depth,
      type: toType(member),
      isRequired: required.includes(name),
      rules: toRules(member),
      description: typeof member.description === 'string' ? member.description : null
    }
    const items = isSchema(member.items) ? membersOf(member.items, `${path}[]`, depth + 1) : []
    return [row, ...membersOf(member, path, depth + 1), ...items]
  })
}

/** A word for what a value may be: `string`, `string[]`, `"a" | "b"`, `any JSON`. */
export function toType(schema: Schema): string {
  if ('const' in schema) return JSON.stringify(schema.const)
  if (Array.isArray(schema.enum)) return schema.enum.map(value => JSON.stringify(value)).join(' | ')
  const parts = [schema.anyOf, schema.oneOf].find(Array.isArray)
  if (parts) return [...new Set(parts.filter(isSchema).map(toType))].join(' | ')
  if (schema.type === 'array') return isSchema(schema.items) ? `${wrapped(toType(schema.items))}[]` : 'list'
  if (Array.isArray(schema.type)) return schema.type.join(' | ')
  return typeof schema.type === 'string' ? schema.type : 'any JSON'
}

const RULES: readonly (readonly [member: string, toText: (value: unknown) => string])[] = [
  ['format', value => `${value}`],
  ['minLength', value => `at least ${value} ${plural(value, 'character')}`],
  ['maxLength', value => `at most ${value} ${plural(value, 'character')}`],
  ['pattern', value => `matches ${value}`],
  ['minimum', value => `≥ ${value}`],
  ['exclusiveMinimum', value => `> ${value}`],
  ['maximum', value => `≤ ${value}`],
  ['exclusiveMaximum', value => `< ${value}`],
  ['multipleOf', value => `multiple of ${value}`],
  ['minItems', value => `at least ${value} ${plural(value, 'item')}`],
  ['maxItems', value => `at most ${value} ${plural(value, 'item')}`],
  ['default', value => `default ${JSON.stringify(value)}`]
]

function toRules(schema: Schema): string[] {
  return RULES.filter(([member]) => member in schema).map(([member, toText]) => toText(schema[member]))
}

function plural(count: unknown, word: string): string {
  return count === 1 ? word : `${word}s`
}

function wrapped(type: string): string {
  return type.includes(' ') ? `(${type})` : type
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
