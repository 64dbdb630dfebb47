import type { Registry } from 'prom-client'
import { partitionOf } from '../kafka/murmur2.ts'
import type { OutgoingRecord, Producer } from '../kafka/types.ts'
import { createEventId } from '../sdk/event-id.ts'
import type { Reading } from '../sdk/telemetry/process-meter.ts'
import type { SendEvents } from '../sdk/telemetry/telemetry.ts'
import type { Attachment } from './attach-function.ts'
import { PRODUCER_ID } from './identify.ts'

const SEND_TIMEOUT_MS = 5_000

/** Builds the sending of events that come from the runner itself. */
export function createEventSender(
  producer: Pick<Producer, 'append' | 'partitionCount'>,
  nowMs: () => number
): SendEvents {
  return async ({ topic, key }, events, signal) => {
    const count = await producer.partitionCount(topic)
    const timestampMs = nowMs()
    const records = events.map((event): OutgoingRecord => {
      const id = createEventId(timestampMs)
      const text = key(event)
      const bytes = Buffer.from(text ?? id)
      return {
        partition: partitionOf(bytes, count),
        key: text === null ? null : bytes,
        value: Buffer.from(JSON.stringify(event)),
        headers: { id, 'content-type': 'application/json', 'producer-id': PRODUCER_ID },
        timestampMs
      }
    })
    return producer.append(topic, records, { timeoutMs: SEND_TIMEOUT_MS, signal })
  }
}

interface Sources {
  readonly attachments: readonly Pick<Attachment, 'topic' | 'lag'>[]
  readonly registry: Pick<Registry, 'getSingleMetric'>
  /** A clock that nobody sets; default `performance.now()`. */
  readonly steadyMs?: () => number
}

/** What is counted, and the reading that it becomes: its rate. */
const RATES = [
  ['smg_records_settled_total', 'records.settled.rate'],
  ['smg_dead_letters_total', 'dead-letters.rate']
] as const

/** Builds the reading of what a runner does: rates since the last one, and the lag of the partitions that it owns. */
export function createRunnerReader({ attachments, registry, steadyMs = () => performance.now() }: Sources) {
  let atMs = steadyMs()
  const before = new Map<string, number>()

  return async (): Promise<Reading[]> => {
    const elapsedMs = Math.max(1, steadyMs() - atMs)
    atMs += elapsedMs
    const rates: Reading[] = []
    for (const [metric, name] of RATES) {
      const total = await sumMetric(registry, metric)
      rates.push({ name, value: ((total - (before.get(metric) ?? 0)) * 1000) / elapsedMs, unit: 'per second' })
      before.set(metric, total)
    }
    const waiting = await sumMetric(registry, 'smg_outbox_waiting')
    return [...rates, { name: 'outbox.waiting', value: waiting, unit: 'records' }, ...attachments.flatMap(toLag)]
  }
}

/** Over all labels; 0 where there is no metric of that name. */
async function sumMetric(registry: Sources['registry'], name: string): Promise<number> {
  const { values } = (await registry.getSingleMetric(name)?.get()) ?? { values: [] }
  return values.reduce((sum, { value }) => sum + value, 0)
}

/** Nothing for a function whose partitions others own: they know. */
function toLag({ topic, lag }: Sources['attachments'][number]): Reading[] {
  const partitions = [...lag().values()]
  const value = partitions.reduce((sum, records) => sum + records, 0)
  return partitions.length === 0 ? [] : [{ name: 'function.lag', value, unit: 'records', labels: { topic } }]
}
