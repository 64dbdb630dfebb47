/** `unknown` until PostgreSQL was asked; `probe`: one record, and then a decision. */
export type BrakeMode = 'unknown' | 'paused' | 'stopped' | 'probe' | 'free'

/** Whether a function may go on, as its operators and its flood breaker want it. */
export interface Brake {
  mode(): BrakeMode
  /** Why it is paused or stopped; of what its records died before a probe. */
  reason(): string | null
  /** Nothing may be handled or written. */
  isHeld(): boolean
  set(mode: BrakeMode, reason?: string | null): void
  /** Calls back after every change. */
  onChange(call: () => void): void
}

/** Builds a brake that holds: what the operators want is not known yet. */
export function createBrake(first: BrakeMode = 'unknown'): Brake {
  const calls: (() => void)[] = []
  let mode = first
  let reason: string | null = null

  return {
    mode: () => mode,
    reason: () => reason,
    isHeld: () => mode !== 'free' && mode !== 'probe',
    set(next, why = null) {
      if (next === mode && why === reason) return
      mode = next
      reason = why
      for (const call of calls) call()
    },
    onChange(call) {
      calls.push(call)
    }
  }
}
