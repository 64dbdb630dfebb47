import type { LoadResult } from './load/plan.ts'
import { countRecords } from './topics.ts'

interface LossOptions {
  /** In Kafka. */
  readonly topic: string
  readonly eventsPerRequest: number
}

/**
 * Builds the look, after each run, for what was acknowledged and is not in a new topic; null when all is. Runs of a topic
 * are looked at one after the other, through the same looker.
 */
export function createLossLooks(brokers: string) {
  const seen = new Map<string, number>()

  return async function findLoss(
    { requests }: Pick<LoadResult, 'requests'>,
    { topic, eventsPerRequest }: LossOptions
  ): Promise<string | null> {
    const [before, after] = [seen.get(topic) ?? 0, await countRecords(brokers, topic)]
    seen.set(topic, after)
    const [acknowledged, grown] = [requests * eventsPerRequest, after - before]
    // More is no loss: KafkaJS writes again what it does not know the outcome of.
    return grown >= acknowledged ? null : `${acknowledged} events acknowledged, ${grown} in Kafka`
  }
}
