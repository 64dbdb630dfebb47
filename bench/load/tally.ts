import { machineMs } from '../machine-clock.ts'
import { toQuantiles } from '../quantiles.ts'
import type { Answer } from './connection.ts'
import type { LoadResult } from './plan.ts'

/** Counts answers and failures from now on. */
export function createTally(expectedStatus: number) {
  const startMs = machineMs()
  const startCpu = process.cpuUsage()
  const latencies: number[] = []
  let failures = 0
  let firstFailure: string | null = null

  return { startMs, takeAnswer, fail, toResult }

  /** Says whether the answer is as expected, and takes the time since `sinceMs` when it is. */
  function takeAnswer({ status, body }: Answer, sinceMs: number): boolean {
    if (status === expectedStatus) latencies.push(machineMs() - sinceMs)
    else fail(`${status} ${body.toString().slice(0, 300)}`)
    return status === expectedStatus
  }

  function fail(reason: string, count = 1): void {
    failures += count
    firstFailure ??= reason
  }

  /** Call it at the last answer. */
  function toResult(): LoadResult {
    const { user, system } = process.cpuUsage(startCpu)
    return {
      requests: latencies.length,
      failures,
      firstFailure,
      startMs,
      seconds: (machineMs() - startMs) / 1000,
      cpuMicroseconds: user + system,
      latencyMs: toQuantiles(latencies)
    }
  }
}

export type Tally = ReturnType<typeof createTally>
