import type { ParseArgsConfig } from 'node:util'
import type { Servers } from './servers.ts'

/** Values of the command line by option; those of one measurement and those of all. */
export type Values = Readonly<Record<string, string | boolean | undefined>>

/** A measurement of `npm run bench`. */
export interface Bench {
  /** Its own options, with their defaults. */
  readonly options: NonNullable<ParseArgsConfig['options']>
  /** Measures; says on the way what each round came to. */
  readonly run: (servers: Servers, values: Values) => Promise<Report>
}

/** What a measurement came to. */
export interface Report {
  /** For the terminal. */
  readonly text: string
  /** For the file. */
  readonly data: object
  /** An SVG, where there is one. */
  readonly chart?: string
  /** A run did not count. */
  readonly isVoid: boolean
  /** What was wanted did not come, in runs that count. Default: nothing was wanted. */
  readonly isMissed?: boolean
}
