import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const LIBRARIES = '/usr/lib'

/** Finds libfaketime, where the package `faketime` of Debian puts it; null without it. */
export function findFaketime(): string | null {
  if (process.platform !== 'linux') return null
  const candidates = readdirSync(LIBRARIES).map(name => join(LIBRARIES, name, 'faketime', 'libfaketime.so.1'))
  return candidates.find(file => existsSync(file)) ?? null
}

/**
 * Gives the environment of a process whose clock is off; empty for null.
 *
 * @param shift as libfaketime writes it: `+1h`
 */
export function toClockEnvironment(shift: string | null): NodeJS.ProcessEnv {
  const library = findFaketime()
  if (shift === null || library === null) return {}
  // Waits are measured by the monotonic clock, and times of files are the kernel's: neither is off.
  return { LD_PRELOAD: library, FAKETIME: shift, DONT_FAKE_MONOTONIC: '1', NO_FAKE_STAT: '1' }
}
