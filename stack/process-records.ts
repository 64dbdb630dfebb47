import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { endProcess, findStartTime, isAlive, type ProcessIdentity } from './processes.ts'
import { writeFileAtomically } from './write-file.ts'

/** A process that was started, and how it wants to be stopped. */
export interface ProcessRecord extends ProcessIdentity {
  readonly name: string
  readonly stopSignal: NodeJS.Signals
}

export type ProcessRecords = ReturnType<typeof createProcessRecords>

const SWEEP_DEADLINE_MS = 8_000

/**
 * Keeps, in a file, every process that was started and has not ended: what survives a kill -9 of this process is found
 * and ended by the next. Written at once, before anything else can happen to the process.
 */
export function createProcessRecords(file: string) {
  let records: readonly ProcessRecord[] = readRecords(file)
  mkdirSync(dirname(file), { recursive: true })

  return {
    add(name: string, pid: number, stopSignal: NodeJS.Signals = 'SIGTERM') {
      const startTime = findStartTime(pid)
      if (startTime !== null) save([...records, { name, pid, startTime, stopSignal }])
    },

    remove(pid: number) {
      save(records.filter(record => record.pid !== pid))
    },

    /** Ends what is recorded and still runs, in the order of a clean stop, and gives the names of what had to be ended. */
    async sweep(): Promise<string[]> {
      const alive = records.filter(isAlive)
      for (const group of inStopOrder(alive))
        await Promise.all(group.map(record => endProcess(record, record.stopSignal, SWEEP_DEADLINE_MS)))

      save([])
      return alive.map(record => record.name)
    }
  }

  function save(next: readonly ProcessRecord[]) {
    records = next
    if (next.length === 0) rmSync(file, { force: true })
    else writeFileAtomically(file, JSON.stringify(next))
  }
}

/** Gives what the file of another process records; empty when it cannot be read. */
export function readRecords(file: string): readonly ProcessRecord[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return []
  }
}

// Kafka and PostgreSQL last: what works with them wants to leave in peace.
function inStopOrder(records: readonly ProcessRecord[]) {
  const isServer = ({ name }: ProcessRecord) => name === 'kafka' || name === 'postgres'
  return [records.filter(record => !isServer(record)), records.filter(isServer)]
}
