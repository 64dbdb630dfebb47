/** Where a position may be moved to, as the dialog asks for it. */
export type Target = 'earliest' | 'latest' | 'time' | 'offsets'

/** What `to` of the request is made of. */
export interface TargetInput {
  readonly target: Target
  /** Local time, as a datetime field gives it. */
  readonly time: string
  /** By partition. */
  readonly offsets: Readonly<Record<number, string>>
}

export type PositionTo = string | Readonly<Record<string, string>>

/** Builds `to` of the request; null as long as something is missing or is no offset. */
export function toPositionTo({ target, time, offsets }: TargetInput): PositionTo | null {
  if (target === 'earliest' || target === 'latest') return target
  if (target === 'time') {
    const date = new Date(time)
    return Number.isNaN(date.getTime()) ? null : date.toISOString()
  }
  const given = Object.entries(offsets)
    .map(([partition, offset]) => [partition, offset.trim()] as const)
    .filter(([, offset]) => offset !== '')
  if (given.length === 0 || !given.every(([, offset]) => /^\d{1,19}$/.test(offset))) return null
  return Object.fromEntries(given)
}
