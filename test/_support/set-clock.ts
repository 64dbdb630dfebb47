import type { Test } from 'tap'

/** Gives a function that sets the wall clock by `ms`, back or on, until the test ends. Timers are not touched. */
export function setClock(t: Test): (ms: number) => void {
  const { now } = Date
  let aheadMs = 0
  t.intercept(Date, 'now', { value: () => now() + aheadMs })
  return ms => {
    aheadMs += ms
  }
}
