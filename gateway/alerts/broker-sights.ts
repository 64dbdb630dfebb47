const REMEMBERED_MS = 86_400_000

/**
 * Remembers which brokers there are: those that hold replicas, and those that answered within the last day. Kafka itself
 * names only the ones that run.
 *
 * @param now in milliseconds, of a clock that nobody sets
 */
export function createBrokerSights(now: () => number) {
  const answeredAtMs = new Map<number, number>()

  return {
    /** Gives whether each broker answers, by its id. */
    see(answering: readonly number[], replicas: readonly number[]): Map<number, boolean> {
      const nowMs = now()
      for (const id of answering) answeredAtMs.set(id, nowMs)
      for (const [id, atMs] of answeredAtMs) if (nowMs - atMs > REMEMBERED_MS) answeredAtMs.delete(id)

      const ids = new Set([...answeredAtMs.keys(), ...replicas])
      return new Map([...ids].sort((one, other) => one - other).map(id => [id, answering.includes(id)]))
    }
  }
}
