import type { KeyedRequest, StoredPlan } from '../db/queries/idempotency.ts'
import type { PlannedRecord } from '../db/tables/idempotency-keys.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import { type BatchResult, isOpen, toBatchResults } from './answer-batch.ts'
import { type Accepted, toAccepted } from './answer-event.ts'
import { gatewayErrors } from './errors.ts'
import type { RunKeyed } from './keyed-requests.ts'
import type { ParsedEvent } from './parse-batch.ts'
import type { ProduceOptions, Producing, ValidEvent } from './produce.ts'

/** What is stored of a record: where it goes, and which event of the body it is of, from 0. */
interface StoredRecord extends PlannedRecord {
  readonly index: number
}

interface OnceDependencies {
  readonly producing: Pick<Producing, 'plan' | 'replan' | 'send'>
  readonly runKeyed: RunKeyed
}

/** Builds the producing of requests with an `Idempotency-Key`: their events are written once, however often they come. */
export function createProduceOnce({ producing, runKeyed }: OnceDependencies) {
  return {
    /** Gives the answer to one event; throws what the event was refused with. */
    async event(
      request: KeyedRequest,
      definition: LoadedFunction,
      { event, traceparent }: ProduceOptions & { readonly event: ValidEvent }
    ): Promise<Accepted> {
      const startedMs = performance.now()
      let refusal: Error = new gatewayErrors.SMG_GATEWAY_NOT_ACKNOWLEDGED()

      const accepted = await runKeyed<Accepted>(request, {
        plan: async () => toStored(await producing.plan(definition, [event]), [0]),
        async run(stored) {
          const plan = producing.replan(definition, [event], stored)
          const [outcome] = await producing.send(definition.topic, plan, { startedMs, traceparent })
          if (outcome && !('error' in outcome)) {
            return { kind: 'final', status: 202, answer: toAccepted(definition.topic, outcome) }
          }
          if (outcome) refusal = outcome.error
          return (refusal as { statusCode?: number }).statusCode === 503
            ? { kind: 'open', certain: null }
            : { kind: 'void' }
        }
      })
      if (accepted === null) throw refusal
      return accepted
    },

    /** Gives one result an event of a batch that has a valid one, in their order. */
    async batch(
      request: KeyedRequest,
      definition: LoadedFunction,
      { parsed, traceparent }: ProduceOptions & { readonly parsed: readonly ParsedEvent[] }
    ): Promise<readonly BatchResult[]> {
      const startedMs = performance.now()
      const valid = parsed.flatMap((one, index) => ('error' in one ? [] : [{ one, index }]))
      const events = valid.map(({ one }) => one)
      const indexes = valid.map(({ index }) => index)
      let results: readonly BatchResult[] = []

      const answer = await runKeyed<{ results: readonly BatchResult[] }>(request, {
        plan: async () => toStored(await producing.plan(definition, events), indexes),
        async run({ records, timestampMs }, certain) {
          // The function was changed since: what was valid then is not what is valid now.
          if (!isOf(records as readonly StoredRecord[], indexes)) throw new gatewayErrors.SMG_GATEWAY_KEY_REUSED()
          const before = certain?.results ?? []
          const missing = valid.flatMap(({ one, index }, at) => {
            const known = before[index]
            return known && !isOpen(known) ? [] : [{ one, record: records[at] as (typeof records)[number] }]
          })
          const again = missing.map(({ one }) => one)
          const plan = producing.replan(definition, again, {
            timestampMs,
            records: missing.map(({ record }) => record)
          })
          const outcomes = await producing.send(definition.topic, plan, { startedMs, traceparent })
          results = toBatchResults(parsed, outcomes, { before })
          return toSettlement(results)
        }
      })
      return answer?.results ?? results
    }
  }
}

/** A plan as it is stored: without the events, which every repeat brings along. */
function toStored({ timestampMs, records }: StoredPlan, indexes: readonly number[]): StoredPlan {
  const stored = records.map(({ id, partition }, at): StoredRecord => ({ id, partition, index: indexes[at] as number }))
  return { timestampMs, records: stored }
}

function isOf(records: readonly StoredRecord[], indexes: readonly number[]): boolean {
  return records.length === indexes.length && records.every(({ index }, at) => index === indexes[at])
}

export type ProduceOnce = ReturnType<typeof createProduceOnce>

function toSettlement(results: readonly BatchResult[]) {
  const accepted = results.filter(({ status }) => status === 202).length
  if (results.some(isOpen)) return { kind: 'open', certain: { results } } as const
  if (accepted === 0) return { kind: 'void' } as const
  return { kind: 'final', status: accepted === results.length ? 202 : 207, answer: { results } } as const
}
