import type { Log } from './output.ts'
import type { FindPort } from './ports.ts'
import type { ProcessRecords } from './process-records.ts'

/** What every builder of a server gets: where it builds, and how. */
export interface Site {
  /** Absolute; exists. */
  readonly dataFolder: string
  /** Absolute; exists. */
  readonly logFolder: string
  readonly environment: NodeJS.ProcessEnv
  readonly records: ProcessRecords
  readonly findPort: FindPort
  readonly log: Log
  /** Aborts what is under way. */
  readonly shutdown: AbortSignal
}
