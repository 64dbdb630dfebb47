import type { FastifyBaseLogger } from 'fastify'
import type { GatewayWrites } from '../db/queries/gateway.ts'
import type { Claim, Claimed, KeyedRequest, StoredPlan } from '../db/queries/idempotency.ts'
import { gatewayErrors, withExtras } from './errors.ts'

/** What became of one run of a request. */
export type Settlement<A> =
  /** This answer is given to every repeat. */
  | { readonly kind: 'final'; readonly status: number; readonly answer: A }
  /** Some of it may be written or not: a repeat goes on from `certain`. */
  | { readonly kind: 'open'; readonly certain: A | null }
  /** Certainly nothing was written, and nothing will be. */
  | { readonly kind: 'void' }

interface KeyedRun<A> {
  /** Where new events would go. */
  readonly plan: () => Promise<StoredPlan>
  /** Produces by a plan; `certain` is what a run before this one left. */
  readonly run: (plan: StoredPlan, certain: A | null) => Promise<Settlement<A>>
}

/**
 * Builds the way of requests with an `Idempotency-Key`. What will be sent is committed before it is sent, and the answer
 * after it: a repeat gets the answer, or sends the same records again. Safe over any number of gateways.
 */
export function createKeyedRequests(writes: GatewayWrites['idempotency'], log: FastifyBaseLogger) {
  /**
   * Runs a request, unless it was answered before.
   *
   * @returns the answer that counts; null when `run` found none, and then it has told its caller why
   * @throws SMG_GATEWAY_KEY_REUSED | SMG_GATEWAY_KEY_IN_FLIGHT, and SMG_GATEWAY_DATABASE_AWAY before anything is sent
   */
  return async function runKeyed<A>(request: KeyedRequest, { plan, run }: KeyedRun<A>): Promise<A | null> {
    const claimed = await claim(request, plan)
    if (claimed.kind === 'other-body') throw new gatewayErrors.SMG_GATEWAY_KEY_REUSED()
    if (claimed.kind === 'in-flight') {
      throw withExtras(new gatewayErrors.SMG_GATEWAY_KEY_IN_FLIGHT(), { retryAfterSeconds: 1 })
    }
    if (claimed.kind === 'answered') return claimed.answer as A

    const before = claimed.before as A | null
    try {
      return await remember(request, claimed, await run(claimed.plan, before))
    } catch (thrown) {
      // It is not in flight any more, and what may have been sent before keeps its ids.
      await remember(request, claimed, { kind: 'open', certain: before })
      throw thrown
    }
  }

  async function claim(request: KeyedRequest, plan: () => Promise<StoredPlan>): Promise<Claimed> {
    let planned: StoredPlan
    try {
      planned = await plan()
    } catch (thrown) {
      // Kafka does not tell where anything would go; what is answered already needs no place.
      const known = await writes.find(request)
      if (known) return known
      throw thrown
    }
    return writes.claim(request, planned)
  }

  /** What is in Kafka stays there: when PostgreSQL goes away now, a repeat sends it again, with the same ids. */
  async function remember<A>(request: KeyedRequest, claim: Claim, settlement: Settlement<A>): Promise<A | null> {
    const answer = settlement.kind === 'final' ? settlement.answer : null
    try {
      if (settlement.kind === 'final') return (await writes.finish(request, settlement)).answer as A
      // Of what was sent before, by another, nobody knows: its ids stay.
      if (settlement.kind === 'void' && claim.isNew) await writes.forget(request, claim)
      else await writes.release(request, claim, settlement.kind === 'open' ? settlement.certain : claim.before)
    } catch (err) {
      log.warn({ err, kind: settlement.kind }, 'the answer under an idempotency key was not stored')
    }
    return answer
  }
}

export type RunKeyed = ReturnType<typeof createKeyedRequests>
