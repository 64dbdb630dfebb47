import type { Logger } from 'pino'
import type { createOperatorQueries, OperatorState } from '../db/queries/operators.ts'
import type { Brake } from './brake.ts'
import type { KeyHints } from './parking.ts'
import { pause } from './patience.ts'
import type { Redriver } from './redrive.ts'

/** What operators ask for is seen so late at most. */
const POLL_MS = 500

/** A function whose operators are listened to. */
export interface Watched {
  readonly groupId: string
  readonly fileHash: string
  readonly ordering: 'partition' | 'key'
  readonly brake: Brake
  readonly hints: KeyHints
  readonly redriver: Redriver
  /** It owns some of the function, and can handle and write it. */
  readonly isWorking: () => boolean
  /** Reads the positions again, and goes on from those that are others than before. Rejects never. */
  readonly readPositions: () => Promise<void>
}

/** Asks PostgreSQL what operators and other runners want of the functions of this one. */
export interface OperatorWatch {
  start(): void
  stop(): Promise<void>
}

/** Builds the watch of a runner: one question a moment for all its functions. */
export function createOperatorWatch(
  watched: readonly Watched[],
  { operators, log }: { operators: ReturnType<typeof createOperatorQueries>; log: Logger }
): OperatorWatch {
  const stopping = new AbortController()
  const groupIds = watched.map(({ groupId }) => groupId)
  /** How often operators had moved positions at the last look, by group. */
  const seen = new Map<string, number>()
  const keyed = watched.filter(({ ordering }) => ordering === 'key')
  let loop: Promise<void> | null = null

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await look()
      } catch (error) {
        log.debug({ err: error }, 'what operators want cannot be asked for')
      }
      await pause(POLL_MS, stopping.signal)
    }
  }

  async function look(): Promise<void> {
    const [states, redriving, moves] = await Promise.all([
      operators.states(groupIds),
      operators.redriving(groupIds),
      operators.moves(groupIds)
    ])
    for (const item of watched) {
      if (redriving.has(item.groupId)) item.redriver.wake()
      heedMoves(item, moves.get(item.groupId) ?? 0)
      await apply(item, states.get(item.groupId))
    }
    for (const { groupId, hints } of keyed) hints.refresh(await operators.blockedKeys(groupId))
  }

  /** At the first look too: whatever the positions were read before, it may have been before the move. */
  function heedMoves({ groupId, readPositions }: Watched, moves: number) {
    if (seen.get(groupId) === moves) return
    seen.set(groupId, moves)
    // It may have to wait for a transaction, and the other functions do not.
    void readPositions()
  }

  async function apply({ groupId, fileHash, brake, redriver, isWorking }: Watched, state: OperatorState | undefined) {
    const { flood } = state ?? {}
    if (state?.state === 'paused') return brake.set('paused', state.reason ?? 'an operator paused it')
    if (state?.state === 'stopped' && flood && !state.isProbe) {
      // Another file is another function: it deserves a try.
      if (flood.fileHash === fileHash) return brake.set('stopped', state.reason)
      await operators.probe(groupId, fileHash)
      log.info({ group: groupId }, 'the file of a stopped function has changed: it is tried with one record')
      return
    }
    // Who stopped has left, or owns nothing any more. Who owns nothing says nothing.
    if (state?.isForgotten && isWorking()) await operators.work(groupId)
    // Also where its first record meets a fault of ours: it is tried again, and again.
    if (state?.isProbe && brake.mode() !== 'free') return brake.set('probe', flood?.reason ?? null)
    const wasHeld = brake.isHeld()
    brake.set('free')
    if (wasHeld) redriver.wake()
  }

  return {
    start() {
      loop = run()
    },
    async stop() {
      stopping.abort()
      await loop
    }
  }
}
