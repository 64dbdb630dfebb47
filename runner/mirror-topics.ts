import type { Logger } from 'pino'
import type { KafkaClient } from '../kafka/client.ts'
import { type EnsureOptions, ensureTopics, raisePartitions } from '../kafka/topics.ts'
import type { Producer } from '../kafka/types.ts'
import type { LoadedFunction } from '../sdk/types.ts'
import { toMirrorTopic } from './mirror.ts'
import { pause } from './patience.ts'

const RETENTION_MS = 168 * 3_600_000
const CHECK_MS = 60_000

interface MirrorTopicsDependencies extends EnsureOptions {
  readonly client: KafkaClient
  readonly producer: Pick<Producer, 'partitionCount'>
  readonly functions: readonly LoadedFunction[]
  readonly toGroupId: (topic: string) => string
  readonly log: Logger
}

/** Keeps the topics of dead letters there. */
export interface MirrorTopics {
  start(): void
  /** Waits for nothing: what is under way may be long. */
  stop(): void
}

/**
 * Builds the keeping of the dead letters' topics: makes them, with as many partitions as their sources at least, and looks
 * after them once a minute. Nothing waits for it: a topic that cannot be made costs a warning, the rows are in PostgreSQL,
 * and their copies wait in the outbox.
 */
export function createMirrorTopics(dependencies: MirrorTopicsDependencies): MirrorTopics {
  const { client, producer, functions, toGroupId, create, log } = dependencies
  const stopping = new AbortController()
  let isFailing = false

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await ensure()
        if (isFailing) log.info('the topics of dead letters are there')
        isFailing = false
      } catch (error) {
        if (!isFailing && !stopping.signal.aborted)
          log.warn({ err: error }, 'topics of dead letters are missing: their copies wait in the outbox')
        isFailing = true
      }
      await pause(CHECK_MS, stopping.signal)
    }
  }

  async function ensure(): Promise<void> {
    const specs = await Promise.all(functions.map(toSpec))
    await ensureTopics(client, specs, dependencies)
    if (!create) return
    for (const topic of await raisePartitions(client, specs))
      log.info({ topic }, 'the topic of dead letters got as many partitions as its source')
  }

  async function toSpec({ topic }: LoadedFunction) {
    const mirrorTopic = toMirrorTopic({ groupId: toGroupId(topic), topic }, client.toKafkaTopic)
    return { topic: mirrorTopic, partitions: await producer.partitionCount(topic), retentionMs: RETENTION_MS }
  }

  return {
    start: () => void run(),
    stop: () => stopping.abort()
  }
}
