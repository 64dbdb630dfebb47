import { rmSync } from 'node:fs'
import { writeFileAtomically } from './write-file.ts'

/** `stack.json`: how others find a running stack. It holds the database's password; its mode is 0600. */
export interface StackState {
  readonly gatewayUrl: string
  readonly kafkaBrokers: string
  readonly databaseUrl: string
  readonly runnerUrls: readonly string[]
  /** Of the working processes; of one that died, until the next has started. Kafka's and PostgreSQL's if they are embedded. */
  readonly pids: {
    readonly gateway: number | null
    readonly runners: readonly (number | null)[]
    readonly kafka?: number
    readonly postgres?: number
  }
}

/** Builds the file: written whole, again at each change, and removed at the stop. */
export function createStateFile(file: string) {
  // One that a kill left behind tells of processes that are gone.
  rmSync(file, { force: true })

  return {
    write: (state: StackState) => writeFileAtomically(file, `${JSON.stringify(state, null, 2)}\n`),
    remove: () => rmSync(file, { force: true })
  }
}
