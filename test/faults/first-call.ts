const MOST = 10_000
const seen = new Set<string>()

/** Says whether this process is asked for the first time about an event: its own count, whatever the attempt is said to be. */
export function isFirstCall(ref: string): boolean {
  if (seen.has(ref)) return false
  if (seen.size === MOST) seen.clear()
  seen.add(ref)
  return true
}
