import { setTimeout as sleep } from 'node:timers/promises'
import type { HistoryWriter } from '../history.ts'
import type { Random } from '../random.ts'
import type { System } from '../system.ts'

const ASK_MS = 25

/** What a fault needs besides one broker, one PostgreSQL and the proxies. */
export type Need = 'three-brokers' | 'mount' | 'crash-counting' | 'loopback' | 'faketime'

/** What a fault asks for before the processes start. */
export interface Setup {
  /** For the first start of the first runner, or gateway: failpoints die with it. */
  readonly runner?: NodeJS.ProcessEnv
  readonly gateway?: NodeJS.ProcessEnv
  /** Sets positions or the database back itself, or makes a topic anew: they may go back. */
  readonly rewinds?: boolean
  /** Changes the number of partitions: a key may move. */
  readonly movesKeys?: boolean
  /** Makes attempts of good events fail: they may be dead letters. */
  readonly mayDie?: boolean
  readonly poisonShare?: number
  readonly runners?: number
}

/** What a fault works with. */
export interface FaultContext {
  readonly system: System
  readonly random: Random
  readonly history: HistoryWriter
  /** Aborts when the schedule is given up. */
  readonly signal: AbortSignal
  /** Resolves when every request of the load has its outcome. */
  readonly loadDone: Promise<void>
  /** Whether nothing else is wrong: then what it says must happen, must happen. */
  readonly isOnly: boolean
  /** The recreation of a topic, for the checker. */
  readonly onRecreated: (topic: string) => void
}

/** One fault. */
export interface Fault {
  /** Row of the catalogue. */
  readonly row: number
  readonly name: string
  readonly title: string
  readonly needs?: readonly Need[]
  /** Not together with others: it says exactly what must happen. */
  readonly isAlone?: boolean
  setup?(random: Random): Setup
  /** Does it, waits for as long as it lasts, and undoes what does not undo itself. */
  inject(context: FaultContext): Promise<void>
}

/** Waits until something is so; gives whether it ever was. What cannot be asked is not so. */
export async function isSoon(
  ask: () => Promise<boolean>,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal }
): Promise<boolean> {
  for (const endMs = Date.now() + timeoutMs; Date.now() < endMs && !signal.aborted; await sleep(ASK_MS)) {
    if (await ask().catch(() => false)) return true
  }
  return false
}

/** Waits some seconds, or until the schedule is given up. */
export async function seconds(count: number, signal: AbortSignal): Promise<void> {
  await sleep(count * 1000, undefined, { signal }).catch(() => undefined)
}
