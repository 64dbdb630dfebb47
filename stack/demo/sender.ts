import type { Client, Exchange } from './client.ts'
import type { DemoTopic, Tally } from './tally.ts'

/** An event that Kafka has. */
export interface Accepted {
  readonly id: string
  readonly topic: DemoTopic
  /** When its request left; of `performance.now()`. */
  readonly sentAt: number
}

export interface SenderOptions {
  readonly client: Client
  readonly tally: Tally
  readonly onAccepted: (accepted: Accepted) => void
  readonly onFatal: (error: unknown) => void
}

export type Sender = ReturnType<typeof createSender>

const MAX_BATCH = 1_000
const MAX_IN_FLIGHT = 16

/** Builds what takes events to the gateway: queued by topic, some requests at once, each event sent once. */
export function createSender({ client, tally, onAccepted, onFatal }: SenderOptions) {
  const queues = new Map<DemoTopic, unknown[]>()
  const inFlight = new Set<Promise<void>>()

  return {
    add(topic: DemoTopic, event: unknown) {
      const queue = queues.get(topic) ?? []
      queues.set(topic, queue)
      queue.push(event)
    },

    waiting: () => [...queues.values()].reduce((sum, { length }) => sum + length, 0),

    flush,

    /** Sends all that is queued, in batches; resolves when every request has ended. */
    async drain() {
      for (;;) {
        flush([...queues.keys()], { isBatch: true })
        if (inFlight.size === 0) return
        await Promise.race(inFlight)
      }
    }
  }

  /** Begins to send what is queued for some topics; what finds no free request stays. */
  function flush(topics: readonly DemoTopic[], { isBatch }: { isBatch: boolean }) {
    for (const topic of topics) {
      const queue = queues.get(topic) ?? []
      while (queue.length > 0 && inFlight.size < MAX_IN_FLIGHT) begin(topic, queue.splice(0, isBatch ? MAX_BATCH : 1))
    }
  }

  function begin(topic: DemoTopic, events: readonly unknown[]) {
    const sent = send(topic, events)
      .catch(onFatal)
      .finally(() => inFlight.delete(sent))
    inFlight.add(sent)
  }

  async function send(topic: DemoTopic, events: readonly unknown[]) {
    const sentAt = performance.now()
    const isSingle = events.length === 1
    const route = `/api/produce/${topic}${isSingle ? '' : '/batch'}`
    const counts = tally[topic]
    const exchange = await client({ method: 'POST', route, body: isSingle ? events[0] : { events } })

    for (const { status, id } of toResults(exchange, events.length)) {
      if (status === 202 && id !== undefined) {
        counts.accepted += 1
        onAccepted({ id, topic, sentAt })
      } else if (status !== null && status >= 400 && status < 500) counts.refused += 1
      else counts.unclear += 1
    }
  }
}

interface Result {
  readonly status: number | null
  readonly id?: string
}

/** One result an event; where the answer does not part them, its status is that of each. */
function toResults({ status, body }: Exchange, count: number): readonly Result[] {
  const { results, id } = (body ?? {}) as { results?: Result[]; id?: string }
  if (Array.isArray(results) && results.length === count) return results
  return Array.from({ length: count }, () => (id === undefined ? { status } : { status, id }))
}
