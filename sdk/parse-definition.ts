import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { getTableColumns, is } from 'drizzle-orm'
import { PgTable } from 'drizzle-orm/pg-core'
import { sdkErrors } from './errors.ts'
import { closeObjects, compileSchema, isSchema } from './event-schema.ts'
import { parseJson } from './parse-json.ts'
import type { Fault, Input, LoadedFunction, TransactionContext } from './types.ts'

const ms = (minimum: number) => Type.Integer({ minimum, maximum: 86_400_000 })

const OptionsSchema = Type.Object(
  {
    maxAttempts: Type.Integer({ default: 3, minimum: 1, maximum: 100 }),
    backoffMs: Type.Object(
      { min: ms(0), max: ms(0) },
      { default: { min: 100, max: 5_000 }, additionalProperties: false }
    ),
    timeoutMs: Type.Integer({ default: 10_000, minimum: 1, maximum: 3_600_000 }),
    maxAgeMs: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], { default: null }),
    partitions: Type.Integer({ default: 3, minimum: 1, maximum: 10_000 }),
    retentionHours: Type.Number({ exclusiveMinimum: 0, maximum: 876_000 }),
    ordering: Type.Union([Type.Literal('partition'), Type.Literal('key')], { default: 'partition' }),
    concurrency: Type.Integer({ default: 1, minimum: 1, maximum: 1_000 }),
    mask: Type.Array(Type.String(), { default: [] })
  },
  { additionalProperties: false }
)

interface Source {
  readonly file: string
  readonly fileHash?: string
  readonly topic: string
  readonly retentionHours: number
}

/**
 * Makes a loaded function of what a file exports.
 *
 * @throws SMG_SDK_BAD_FILE with file, field and reason
 */
export function parseDefinition(
  exported: unknown,
  { file, fileHash = '', topic, retentionHours }: Source
): LoadedFunction {
  const bad = (field: string, reason: string, cause?: unknown) =>
    Object.assign(new sdkErrors.SMG_SDK_BAD_FILE(file, field, reason), { cause })

  if (typeof exported !== 'object' || exported === null) {
    throw bad('default export', 'is missing: end the file with `export default defineFunction({ … })`')
  }
  const { event, key, table, handle, ...given } = exported as Record<string, unknown>

  if (!isSchema(event) || event.type !== 'object')
    throw bad('event', 'must be a schema, as Type.Object({ … }) makes it')
  if (key !== undefined && typeof key !== 'function')
    throw bad('key', 'must be a function of the event that gives a text or null')
  if (handle !== undefined && typeof handle !== 'function') throw bad('handle', 'must be a function')
  if (table !== undefined) checkTable(table, handle, bad)

  const options = parseOptions(given, retentionHours, bad)
  // Better no start than an option that is taken and not kept.
  if (options.mask.length > 0) throw bad('mask', 'must be empty: hiding fields is not built yet')
  if (options.concurrency > 1 && !table)
    throw bad('concurrency', 'needs a `table`: effects of a transaction are made in order')

  const schema = closeObjects(event)
  const findFaults = compile(schema, bad)
  return Object.freeze({
    topic,
    file,
    fileHash,
    event: schema,
    key: toKey(key as ((event: unknown) => unknown) | undefined),
    table: (table as PgTable | undefined) ?? null,
    handle: (handle as ((input: Input, context: TransactionContext) => unknown) | undefined) ?? null,
    kind: table ? 'rows' : handle ? 'transaction' : 'inbox',
    options,
    findFaults,
    parseEvent: createEventParser(findFaults)
  })
}

type Bad = (field: string, reason: string, cause?: unknown) => Error

function checkTable(table: unknown, handle: unknown, bad: Bad) {
  if (!is(table, PgTable)) throw bad('table', 'must be a table, as pgTable(…) makes it')
  if (!handle) throw bad('handle', 'is missing: a function with a `table` gives its rows')

  const id = getTableColumns(table).id
  if (id?.getSQLType() !== 'uuid' || !id.primary) {
    throw bad('table', 'needs a column `id: uuid().primaryKey()`: it is the id of the event')
  }
}

function parseOptions(given: Record<string, unknown>, retentionHours: number, bad: Bad): LoadedFunction['options'] {
  const hours = given.retentionHours === undefined ? retentionHours : given.retentionHours
  const options = Value.Default(OptionsSchema, { ...given, retentionHours: hours }) as Static<typeof OptionsSchema>
  const wrong = Value.Errors(OptionsSchema, options).First()

  if (wrong) {
    const field = wrong.path.slice(1).replaceAll('/', '.')
    const isUnknown = wrong.message === 'Unexpected property'
    throw bad(
      field,
      isUnknown ? `is no option; there are ${Object.keys(OptionsSchema.properties).join(', ')}` : wrong.message
    )
  }
  if (options.backoffMs.max < options.backoffMs.min) throw bad('backoffMs', 'max is below min')
  return options
}

function compile(schema: TSchema, bad: Bad) {
  try {
    return compileSchema(schema)
  } catch (cause) {
    throw bad('event', (cause as Error).message, cause)
  }
}

function createEventParser(findFaults: LoadedFunction['findFaults']) {
  return (value: Buffer): unknown => {
    const event = parseJson(value)
    const faults = findFaults(event)
    if (faults) throw badEvent(faults)
    return event
  }
}

function badEvent(faults: readonly Fault[]) {
  const [{ path, message } = { path: '', message: 'is wrong' }] = faults
  return Object.assign(new sdkErrors.SMG_SDK_BAD_EVENT(path || '(the whole)', message), { faults })
}

function toKey(key: ((event: unknown) => unknown) | undefined): LoadedFunction['key'] {
  if (!key) return () => null
  return event => {
    const made = key(event)
    return made === null || made === undefined ? null : String(made)
  }
}
