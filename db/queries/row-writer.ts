import { getTableColumns, is, SQL, type Table } from 'drizzle-orm'
import {
  getTableConfig,
  PgArray,
  type PgColumn,
  PgEnumColumn,
  PgEnumObjectColumn,
  type PgTable
} from 'drizzle-orm/pg-core'
import { isRefusedAsJson, toCopyText } from '../copy-in.ts'
import type { WriteTransaction } from '../write-transaction.ts'
import { isCopyable } from './copyable.ts'

/** A row of a function's table, in PostgreSQL's text of each value. */
export interface WrittenRow {
  readonly eventId: string
  /** Of the columns that are given, in the order of the table; null is null. */
  readonly values: readonly (string | Structured | null)[]
  /** Names of the columns that the INSERT leaves out, each followed by a NUL: rows of one text share a statement. */
  readonly omitted: string
}

/** A value whose text only json_to_recordset makes of JSON: of an array, or a composite type. */
class Structured {
  readonly json: string

  constructor(json: string) {
    this.json = json
  }
}

/** Turns rows of a function's table into text, and writes them in batches. */
export interface RowWriter {
  /** `id` is the row's, `eventId` the event's. Throws for a value that its column cannot take. */
  toRow(row: Readonly<Record<string, unknown>>, id: string, eventId: string): WrittenRow
  /** A row as an element of the JSON list that `insertFrom` reads. */
  toJson(row: WrittenRow): string
  /** An INSERT of those rows whose event is in the table expression `events(id)`; `parameter` holds their JSON list. */
  insertFrom(omitted: string, events: string, parameter: string): string
  /** Whether a COPY writes what an INSERT writes; PostgreSQL is asked once. */
  isCopyable(tx: WriteTransaction): Promise<boolean>
  /** A row as a line of COPY; null for one that COPY cannot take. */
  toLine(row: WrittenRow): string | null
  /** The COPY of such lines. */
  copyFrom(omitted: string): string
}

// A serial is an integer that draws its own default; as the type of a value it does not exist.
const SERIALS: Readonly<Record<string, string>> = { smallserial: 'smallint', serial: 'integer', bigserial: 'bigint' }
const EVENT_ID = '__event_id'
// The one character that no name in PostgreSQL can hold.
const END = '\u0000'

/** Builds the row writer of a table. A member that a row leaves out gets the default of its column. */
export function createRowWriter(table: PgTable): RowWriter {
  const columns = Object.entries(getTableColumns(table as Table)) as [member: string, column: PgColumn][]
  const writable = columns.filter(([, column]) => !column.generated && column.generatedIdentity?.type !== 'always')
  const { schema, name } = getTableConfig(table)
  const target = schema ? `${quote(schema)}.${quote(name)}` : quote(name)
  const shapes = new Map<string, { column: PgColumn; start: string; isJson: boolean }[]>()
  let copyable: boolean | null = null

  /** The columns that are given when some are left out. */
  function shapeOf(omitted: string) {
    const known = shapes.get(omitted)
    if (known) return known
    const left = omitted.split(END)
    const given = writable.map(([, column]) => column).filter(column => !left.includes(column.name))
    const shape = given.map(column => ({
      column,
      start: `,${JSON.stringify(column.name)}:`,
      isJson: isJson(column)
    }))
    shapes.set(omitted, shape)
    return shape
  }

  function namesOf(omitted: string): string {
    return shapeOf(omitted)
      .map(({ column }) => quote(column.name))
      .join(', ')
  }

  return {
    toRow(row, id, eventId) {
      const values: (string | Structured | null)[] = []
      let omitted = ''

      for (const [member, column] of writable) {
        const value = member === 'id' ? id : toValue(column, row[member])
        if (value !== undefined) values.push(value)
        else if (column.hasDefault) omitted += column.name + END
        else values.push(null)
      }
      return { eventId, values, omitted }
    },

    toJson({ eventId, values, omitted }) {
      const shape = shapeOf(omitted)
      let json = `{"${EVENT_ID}":"${eventId}"`
      for (let index = 0; index < shape.length; index += 1) {
        const { start, isJson } = shape[index] as (typeof shape)[number]
        const value = values[index] as (typeof values)[number]
        if (value === null) json += `${start}null`
        else if (value instanceof Structured) json += start + value.json
        else json += start + (isJson ? value : JSON.stringify(value))
      }
      return `${json}}`
    },

    insertFrom(omitted, events, parameter) {
      const shape = shapeOf(omitted)
      const typed = shape.map(({ column }) => `${quote(column.name)} ${typeOf(column)}`).join(', ')

      return `INSERT INTO ${target} (${namesOf(omitted)})
        SELECT ${shape.map(({ column }) => `given.${quote(column.name)}`).join(', ')}
        FROM json_to_recordset(${parameter}::text::json) AS given(${quote(EVENT_ID)} uuid, ${typed})
          JOIN ${events} ON ${events}.id = given.${quote(EVENT_ID)}
        RETURNING 1`
    },

    async isCopyable(tx) {
      const given = writable.map(([, column]) => ({ name: column.name, type: typeOf(column) }))
      copyable ??= await isCopyable(tx, { target, columns: given })
      return copyable
    },

    toLine({ values }) {
      let line = ''
      for (let index = 0; index < values.length; index += 1) {
        const value = values[index] as (typeof values)[number]
        // Half of a surrogate pair has no bytes: COPY would write another character, where JSON is refused.
        if (value instanceof Structured || value?.isWellFormed() === false) return null
        const text = toCopyText(value)
        if (isRefusedAsJson(value, text)) return null
        line += (index === 0 ? '' : '\t') + text
      }
      return `${line}\n`
    },

    copyFrom: omitted => `COPY ${target} (${namesOf(omitted)}) FROM STDIN`
  }
}

/** A value as its column reads it; undefined where the column's own default is to stand. */
function toValue(column: PgColumn, given: unknown): string | Structured | null | undefined {
  const value = given === undefined ? makeDefault(column) : given
  if (value === undefined || value === null) return value
  if (is(value, SQL)) return toStructured(value)
  // Drizzle would make text of it, which as JSON inside JSON is a string and not the value.
  if (column.columnType === 'PgJson' || column.columnType === 'PgJsonb') return toJsonText(value)
  const text = toText(column.mapToDriverValue(value))
  // A type of the function's own gives the JSON itself.
  const isOwnJson = column.columnType === 'PgCustomColumn' && isJson(column)
  return isOwnJson && typeof text === 'string' ? checkJson(text) : text
}

/** @throws SyntaxError when it is none */
function checkJson(text: string): string | null {
  return JSON.parse(text) === null ? null : text
}

/** JSON's own null, as it makes of Infinity, is no value: json_to_recordset takes it for none. */
function toJsonText(value: unknown): string | null {
  const json = JSON.stringify(value)
  return json === undefined || json === 'null' ? null : json
}

function isJson(column: PgColumn): boolean {
  return /^jsonb?$/.test(column.getSQLType())
}

function toText(value: unknown): string | Structured | null {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return toHex(value)
  if (typeof value === 'object' && value !== null) return toStructured(toJsonValue(value))
  // What JSON does not know, such as a function, is null.
  return value === null || value === undefined || JSON_LESS.has(typeof value) ? null : String(value)
}

const JSON_LESS: ReadonlySet<string> = new Set(['function', 'symbol'])

function toStructured(value: unknown): Structured | null {
  const json = JSON.stringify(value)
  return json === undefined ? null : new Structured(json)
}

function toHex(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes).toString('hex')}`
}

/** As Drizzle's own insert does: `hasDefault` is true for a column that is only made on update. */
function makeDefault({ defaultFn, default: own, onUpdateFn }: PgColumn): unknown {
  if (defaultFn) return defaultFn()
  return own === undefined ? onUpdateFn?.() : undefined
}

function toJsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  // JSON knows neither; PostgreSQL reads both from text.
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (value instanceof Uint8Array) return toHex(value)
  if (Array.isArray(value)) return value.map(toJsonValue)
  return value
}

function typeOf(column: PgColumn): string {
  if (is(column, PgArray)) return `${typeOf(column.baseColumn as PgColumn)}[${column.size ?? ''}]`
  if (is(column, PgEnumColumn) || is(column, PgEnumObjectColumn)) {
    const { schema, enumName } = column.enum
    return schema ? `${quote(schema)}.${quote(enumName)}` : quote(enumName)
  }
  const type = column.getSQLType()
  return SERIALS[type] ?? type
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
