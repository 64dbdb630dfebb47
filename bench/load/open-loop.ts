import { setTimeout as sleep } from 'node:timers/promises'
import { machineMs } from '../machine-clock.ts'
import type { Connection } from './connection.ts'
import type { Plan } from './plan.ts'
import type { Tally } from './tally.ts'

interface OpenLoop {
  readonly nextRequest: () => Buffer
  readonly tally: Tally
  /** Whether it was ended before its time; what is due then is not sent. Default: never. */
  readonly isOver?: () => boolean
  /** Given the body of every expected answer, with when its request was due. */
  readonly onAnswer?: (body: Buffer, dueMs: number) => void
}

const DRAIN_MS = 30_000

/**
 * Sends each request at its time, whatever becomes of those before: one that finds no connection free waits here, and its
 * time runs. Node's timers are late by about a millisecond, which counts too. What has no answer 30 s after the end failed.
 */
export async function runOpenLoop(
  connections: readonly Connection[],
  { seconds, requestsPerSecond }: Plan,
  { nextRequest, tally, isOver = () => false, onAnswer }: OpenLoop
): Promise<void> {
  const total = Math.round(seconds * (requestsPerSecond ?? 0))
  const idle = [...connections]
  const waiting: number[] = []
  let taken = 0
  let open = 0

  for (let sent = 0; sent < total && !isOver(); sent += 1) {
    const dueMs = tally.startMs + (sent * 1000) / (requestsPerSecond ?? 1)
    const earlyMs = dueMs - machineMs()
    if (earlyMs > 0) await sleep(earlyMs)
    open += 1
    const connection = takeIdle()
    if (connection) void post(connection, dueMs)
    else waiting.push(dueMs)
  }
  const untilMs = machineMs() + DRAIN_MS
  while (open > 0 && machineMs() < untilMs) await sleep(1)
  if (open > 0) tally.fail('no answer', open)

  /**
   * The one that rests longest: a connection that never sends anything is told after a while that its time is over. One that
   * the server closed while it was idle is nobody's failure.
   */
  function takeIdle(): Connection | undefined {
    const connection = idle.shift()
    return connection?.isBroken() ? takeIdle() : connection
  }

  async function post(connection: Connection, dueMs: number): Promise<void> {
    try {
      const answer = await connection.send(nextRequest())
      if (tally.takeAnswer(answer, dueMs)) onAnswer?.(answer.body, dueMs)
    } catch (error) {
      open -= 1
      return tally.fail(String(error)) // the connection is gone
    }
    open -= 1
    const next = waiting[taken]
    if (next === undefined) return void idle.push(connection)
    taken += 1
    void post(connection, next)
  }
}
