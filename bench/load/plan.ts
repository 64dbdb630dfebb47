import type { Quantiles } from '../quantiles.ts'

/** What a load generator is to do. */
export interface Plan {
  /** `http://host:port`. */
  readonly url: string
  /** In a closed loop exactly so many, in an open one at most. */
  readonly connections: number
  readonly seconds: number
  /** An open loop: each request has its time, whatever became of those before. Null: each connection sends when it can. */
  readonly requestsPerSecond: number | null
  /** A JSON list of requests, sent in turn, over and over. */
  readonly requestsFile: string
  /** Everything else is a failure. */
  readonly expectedStatus: number
  /** Takes what an open loop learned of each event, `ANSWER_FIELDS` numbers each; null when nobody asks. */
  readonly answersFile: string | null
}

export interface PlannedRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** JSON; null without one. */
  readonly body: string | null
}

/** Numbers of an event in the file of answers: when it was due and answered (`machineMs`), and where it is in Kafka. */
export const ANSWER_FIELDS = 4

/** Ends a generator that has begun, before its time. */
export const END_SIGNAL = 'SIGUSR2'

/** What came of a plan. */
export interface LoadResult {
  /** Answered as expected. */
  readonly requests: number
  readonly failures: number
  readonly firstFailure: string | null
  /** When the first request was due, by `machineMs`. */
  readonly startMs: number
  /** From then to the last answer. */
  readonly seconds: number
  /** From when it was due (open loop) or sent (closed loop) to the answer. */
  readonly latencyMs: Quantiles
  /** Of the generator, from the first request to the last answer. */
  readonly cpuMicroseconds: number
}

/** A line that the generator prints. */
export type LoadLine = { readonly event: 'begun' } | { readonly event: 'done'; readonly result: LoadResult }
