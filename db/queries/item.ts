/** A member of a JSON object: SQL that gives it as text, and how that text becomes JSON. */
interface Member {
  readonly select: string
  /** Never asked for null. */
  readonly write: (text: string) => string
}

/** The members of a JSON object in their order, by name. */
export type Item = Readonly<Record<string, Member>>

/** A row as the driver gives it: the text of each member, null where there is nothing. */
export type ItemRow = Readonly<Record<string, string | null>>

/** A column of text. */
export const text = (column: string): Member => ({ select: column, write: JSON.stringify })

/** A column whose text needs no escape: an id, an offset, base64. */
export const plain = (column: string): Member => ({ select: `${column}::text`, write: value => `"${value}"` })

/** A column whose text is JSON: json itself, or an integer. */
export const json = (column: string): Member => ({ select: `${column}::text`, write: value => value })

/** A time, as ISO 8601 in UTC: milliseconds, and microseconds where there are some. */
export const time = (column: string): Member => ({ select: `${storedTime(column)}::text`, write: toIso })

/** The columns of a SELECT that give a row of `item`. */
export function toColumns(item: Item): string {
  return Object.entries(item)
    .map(([name, { select }]) => `${select} AS "${name}"`)
    .join(', ')
}

/**
 * Makes what writes a row as JSON, with the spaces of json_build_object. PostgreSQL takes three times as long for the
 * same text as for the columns of it, and here they cost next to nothing.
 */
export function createItemWriter(item: Item): (row: ItemRow) => string {
  const members = Object.entries(item).map(([name, { write }], index) => {
    return { name, write, head: `${index === 0 ? '{' : ', '}"${name}" : ` }
  })
  return row => {
    let written = ''
    for (const { name, write, head } of members) {
      const value = row[name]
      written += head + (value == null ? 'null' : write(value))
    }
    return `${written}}`
  }
}

/** A time as JSON, whatever the session's zone and style of dates are. */
function storedTime(column: string): string {
  return `to_json(${column} AT TIME ZONE 'UTC')`
}

const STORED = /^"([\d:T-]+)(?:\.(\d+))?(?: BC)?"$/

// PostgreSQL leaves zeros at the end out. What is infinite has no ISO 8601.
function toIso(stored: string): string {
  const [, seconds, fraction = ''] = STORED.exec(stored) ?? []
  return seconds === undefined ? 'null' : `"${seconds}.${fraction.padEnd(fraction.length > 3 ? 6 : 3, '0')}Z"`
}
