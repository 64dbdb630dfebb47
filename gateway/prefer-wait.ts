/** The longest that an answer waits for an outcome. */
const MAX_WAIT_SECONDS = 30

/**
 * Gives the seconds of `wait` in a field `Prefer` (RFC 7240), 30 at most; null without it, or when it is none: what is
 * not understood there is ignored.
 */
export function findWaitSeconds(prefer: string | string[] | undefined): number | null {
  if (prefer === undefined) return null
  for (const preference of String(prefer).split(',')) {
    const [name = '', value = ''] = (preference.split(';', 1)[0] ?? '').split('=', 2)
    if (name.trim().toLowerCase() !== 'wait') continue
    // The first of several counts.
    const digits = /^(?:"(\d{1,9})"|(\d{1,9}))$/.exec(value.trim())
    return digits ? Math.min(Number(digits[1] ?? digits[2]), MAX_WAIT_SECONDS) : null
  }
  return null
}
