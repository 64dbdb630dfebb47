import { getTableColumns, is, SQL, type Table } from 'drizzle-orm'
import {
  getTableConfig,
  PgArray,
  type PgColumn,
  PgEnumColumn,
  PgEnumObjectColumn,
  type PgTable
} from 'drizzle-orm/pg-core'

/** A row as JSON text, and which columns are left to their defaults. */
export interface WrittenRow {
  readonly json: string
  /** Names of the columns that the INSERT leaves out, each followed by a NUL: rows of one text share a statement. */
  readonly omitted: string
}

/** Turns rows of a function's table into JSON, and writes them in batches. */
export interface RowWriter {
  /** `id` is the row's, `eventId` the event's. Throws for a value that its column cannot take. */
  toRow(row: Readonly<Record<string, unknown>>, id: string, eventId: string): WrittenRow
  /** An INSERT of those rows whose event is in the table expression `events(id)`; `parameter` holds their JSON list. */
  insertFrom(omitted: string, events: string, parameter: string): string
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
  const members = writable.map(([member, column]) => ({ member, column, start: `,${JSON.stringify(column.name)}:` }))
  const { schema, name } = getTableConfig(table)
  const target = schema ? `${quote(schema)}.${quote(name)}` : quote(name)

  return {
    toRow(row, id, eventId) {
      // Member by member: an object to be made and written again costs as much as all the rest.
      let json = `{"${EVENT_ID}":"${eventId}"`
      let omitted = ''

      for (const { member, column, start } of members) {
        const value = member === 'id' ? id : toValue(column, row[member])
        if (value === undefined) {
          if (column.hasDefault) omitted += column.name + END
          continue
        }
        const text = JSON.stringify(value)
        // What JSON does not know, such as a function, is left out by it, and null then.
        if (text !== undefined) json += start + text
      }
      return { json: `${json}}`, omitted }
    },

    insertFrom(omitted, events, parameter) {
      const left = omitted.split(END)
      const given = writable.map(([, column]) => column).filter(column => !left.includes(column.name))
      const names = given.map(column => quote(column.name)).join(', ')
      const typed = given.map(column => `${quote(column.name)} ${typeOf(column)}`).join(', ')

      return `INSERT INTO ${target} (${names})
        SELECT ${given.map(column => `given.${quote(column.name)}`).join(', ')}
        FROM json_to_recordset(${parameter}::text::json) AS given(${quote(EVENT_ID)} uuid, ${typed})
          JOIN ${events} ON ${events}.id = given.${quote(EVENT_ID)}
        RETURNING 1`
    }
  }
}

/** A value as JSON can carry it to its column; undefined where the column's own default is to stand. */
function toValue(column: PgColumn, given: unknown): unknown {
  const value = given === undefined ? makeDefault(column) : given
  if (value === undefined || value === null || is(value, SQL)) return value
  // Drizzle would make text of it, which as JSON inside JSON is a string and not the value.
  if (column.columnType === 'PgJson' || column.columnType === 'PgJsonb') return value
  return toJsonValue(column.mapToDriverValue(value))
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
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
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
