import { type BatchResult, isOpen, toBatchResults } from './answer-batch.ts'
import { gatewayErrors, withExtras } from './errors.ts'
import type { ParsedEvent, RefusedEvent } from './parse-batch.ts'
import type { Offered, ValidEvent } from './produce.ts'

interface OfferOrder {
  /** The offer before this one. */
  readonly after: Offered | undefined
  /** Aborted when Kafka did not take a group before. */
  readonly signal: AbortSignal
}

interface GroupDependencies {
  /** Gives events to the producer. */
  readonly offer: (events: readonly ValidEvent[], order: OfferOrder) => Promise<Offered>
  /** Takes events from what the client has left; throws when that is too little. */
  readonly takeEvents: (count: number) => void
}

type Groups = Iterable<readonly ParsedEvent[]> | AsyncIterable<readonly ParsedEvent[]>

/** So many bytes of one request are on their way to Kafka before no more of it is read. */
const WINDOW_BYTES = 2 * 1024 * 1024

/**
 * Produces the events of a request group by group, each as soon as it is there, and gives one result an event, in their
 * order. After a group that Kafka or the limit of events did not take, nothing more is sent: the events behind it are
 * refused for the same reason.
 *
 * @throws what was thrown for the first group, and what ends the groups early; with `results` as soon as there are some:
 *   they tell what was accepted before, and an event without a result was not sent
 */
export async function produceGroups(groups: Groups, { offer, takeEvents }: GroupDependencies): Promise<BatchResult[]> {
  const parts: Promise<BatchResult[]>[] = []
  let count = 0
  let settled = 0
  let bytesInFlight = 0
  /** Of all offers that are not settled, in their order. */
  const stops = new Set<AbortController>()
  let last: Offered | undefined
  /** Why nothing more is sent; null while all is well. */
  const hold: { error: RefusedEvent['error'] | null } = { error: null }
  let cut: Error | null = null

  try {
    for await (const group of groups) {
      await add(group)
      while (bytesInFlight >= WINDOW_BYTES) {
        await parts[settled]
        settled += 1
      }
    }
  } catch (thrown) {
    cut = parts.length > 0 ? toCoded(thrown) : (thrown as Error)
  }
  const results = (await Promise.all(parts)).flat()
  // With none accepted this is no matter of single events any more.
  if (hold.error?.statusCode === 429 && !results.some(({ status }) => status === 202)) cut ??= hold.error
  if (cut) throw results.length > 0 ? withExtras(cut, { results }) : cut
  return results

  async function add(group: readonly ParsedEvent[]) {
    const firstIndex = count
    const stop = new AbortController()
    stops.add(stop)
    const offered = hold.error ? undefined : await tryOffer(group, stop.signal)
    count += group.length
    if (offered === undefined) {
      stops.delete(stop)
      parts.push(Promise.resolve(toBatchResults(hold.error ? refuse(group, hold.error) : group, [], { firstIndex })))
      return
    }
    last = offered
    const bytes = group.reduce((sum, one) => sum + ('error' in one ? 0 : one.value.length), 0)
    bytesInFlight += bytes
    const part = offered.outcomes.then(outcomes => {
      bytesInFlight -= bytes
      const results = toBatchResults(group, outcomes, { firstIndex })
      if (results.some(isOpen)) refuseBehind(stop)
      stops.delete(stop)
      return results
    })
    parts.push(part)
  }

  /** What was offered behind a group that Kafka did not take is withdrawn: it would overtake a repeat of that. */
  function refuseBehind(refused: AbortController) {
    hold.error ??= new gatewayErrors.SMG_GATEWAY_KAFKA_AWAY()
    const all = [...stops]
    for (const stop of all.slice(all.indexOf(refused) + 1)) stop.abort()
  }

  /** Undefined when nothing of a group is sent. */
  async function tryOffer(group: readonly ParsedEvent[], signal: AbortSignal): Promise<Offered | undefined> {
    try {
      takeEvents(group.length)
      const valid = group.filter((one): one is ValidEvent => !('error' in one))
      return valid.length > 0 ? await offer(valid, { after: last, signal }) : undefined
    } catch (thrown) {
      const error = toCoded(thrown)
      // Nothing was accepted, and nothing will be: the request as a whole is refused. What is no matter of time ends it, too.
      if (count === 0 || (error.statusCode !== 429 && error.statusCode !== 503)) throw thrown
      hold.error = error
      return undefined
    }
  }
}

/** What no catalogue knows is not for the client; the problem of the whole request has it logged. */
function toCoded(thrown: unknown): RefusedEvent['error'] {
  const error = thrown as RefusedEvent['error'] | null
  if (error && error.code in gatewayErrors) return error
  return withExtras(new gatewayErrors.SMG_GATEWAY_INTERNAL(), { cause: thrown })
}

function refuse(group: readonly ParsedEvent[], error: RefusedEvent['error']): readonly ParsedEvent[] {
  return group.map(one => ('error' in one ? one : { error }))
}
