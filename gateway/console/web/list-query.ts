/** Spans of time that a list can be cut to, in milliseconds. */
const SPANS = { '15m': 900_000, '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000 } as const

export const TIME_OPTIONS = [
  { value: '', label: 'Any time' },
  { value: '15m', label: 'Last 15 minutes' },
  { value: '1h', label: 'Last hour' },
  { value: '24h', label: 'Last 24 hours' },
  { value: '7d', label: 'Last 7 days' },
  { value: 'custom', label: 'Between…' }
]

/**
 * The range of a list as its API takes it. In the address stands `last` for a span that ends now, and begins at a whole
 * minute, or `from` and `to`.
 */
export function toRange(query: URLSearchParams, nowMs: number): { from?: string; to?: string } {
  const last = query.get('last') ?? ''
  const span = Object.hasOwn(SPANS, last) && SPANS[last as keyof typeof SPANS]
  if (span) return { from: new Date(Math.floor((nowMs - span) / 60_000) * 60_000).toISOString() }
  const range: { from?: string; to?: string } = {}
  const from = query.get('from')
  const to = query.get('to')
  if (from) range.from = from
  if (to) range.to = to
  return range
}

/** A path with a query of what is not empty. */
export function toPath(path: string, query: Readonly<Record<string, string | number | null | undefined>>): string {
  const members = Object.entries(query)
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]): [string, string] => [name, String(value)])
  return members.length > 0 ? `${path}?${new URLSearchParams(members)}` : path
}

/** What an `<input type="datetime-local">` shows of a time: the reader's clock. */
export function toLocalInput(iso: string | null): string {
  const date = new Date(iso ?? '')
  if (Number.isNaN(date.getTime())) return ''
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

/** The time of such an input in ISO 8601; empty for none. */
export function fromLocalInput(text: string): string {
  const date = new Date(text)
  return Number.isNaN(date.getTime()) ? '' : date.toISOString()
}
