import { machineMs } from '../machine-clock.ts'
import type { Connection } from './connection.ts'
import type { Plan } from './plan.ts'
import type { Tally } from './tally.ts'

interface ClosedLoop {
  readonly nextRequest: () => Buffer
  readonly tally: Tally
  /** Whether it was ended before its time. */
  readonly isOver: () => boolean
}

/** Keeps every connection busy until the time is over, and waits for the last answers. */
export async function runClosedLoop(
  connections: readonly Connection[],
  { seconds }: Plan,
  { nextRequest, tally, isOver }: ClosedLoop
): Promise<void> {
  const endMs = tally.startMs + seconds * 1000

  await Promise.all(
    connections.map(async connection => {
      for (let sentMs = machineMs(); sentMs < endMs && !isOver(); sentMs = machineMs()) {
        try {
          tally.takeAnswer(await connection.send(nextRequest()), sentMs)
        } catch (error) {
          return tally.fail(String(error)) // the connection is gone
        }
      }
    })
  )
}
