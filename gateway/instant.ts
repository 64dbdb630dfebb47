const INSTANT = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?(Z|z|[+-]\d\d:\d\d)$/

/**
 * Gives a point in time of a client as ISO 8601 in UTC, to the microsecond; null when it is none between the years 1 and
 * 9999. PostgreSQL knows a year 0 and some offsets not, so it is never asked.
 */
export function toInstant(text: string): string | null {
  const [, date = '', time = '', fraction = '', zone = ''] = INSTANT.exec(text) ?? []
  const ms = Date.parse(`${date}T${time}${zone.toUpperCase()}`)
  if (Number.isNaN(ms) || !isDay(date)) return null

  const utc = new Date(ms).toISOString()
  return /^\d{4}-/.test(utc) && !utc.startsWith('0000') ? `${utc.slice(0, 19)}${fraction.slice(0, 7)}Z` : null
}

// Date.parse takes 30 February for 2 March.
function isDay(date: string): boolean {
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date)
}
