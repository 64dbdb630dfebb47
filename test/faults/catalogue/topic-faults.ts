import { setTimeout as sleep } from 'node:timers/promises'
import { retry } from '../postgres.ts'
import type { System } from '../system.ts'
import { type Fault, type FaultContext, seconds } from './fault.ts'
import { createProbe } from './probe.ts'

// What is read of the new log before its id is looked at is read again later, in another order.
const common = { isAlone: true, setup: () => ({ rewinds: true }) } as const

/** Rows 12 and 16: a topic that goes, and comes again as another one. */
export const topicFaults: readonly Fault[] = [
  {
    row: 12,
    name: 'topic-recreated',
    title: 'a topic is deleted and made again under running gateways and runners',
    ...common,
    inject: context => recreate(context, () => seconds(0.5, context.signal))
  },
  {
    row: 16,
    name: 'topic-missing',
    title: 'a topic is deleted and stays away: what is sent to it is refused, and the others go on',
    ...common,
    inject: context => recreate(context, () => expectMissing(context))
  }
]

const TOPIC = 'entries'
const OTHER = 'orders'
const PATIENCE_SECONDS = 45

/** Deletes a topic, waits, makes it again, and waits until all positions count in the new log. */
async function recreate({ system, signal, onRecreated }: FaultContext, whileAway: () => Promise<void>): Promise<void> {
  const topic = `${system.topicPrefix}${TOPIC}`
  const before = await readTopicIds(system)
  await retry(() => system.cluster.withAdmin(admin => admin.deleteTopics({ topics: [topic] })))
  try {
    await whileAway()
  } finally {
    const topics = [{ topic, numPartitions: 3, replicationFactor: system.cluster.brokers.length }]
    // A gateway that starts meanwhile makes it as well.
    await retry(() => system.cluster.withAdmin(admin => admin.createTopics({ topics })))
    // A send that was under way may still have met the old one.
    await sleep(500)
    onRecreated(TOPIC)
  }
  // Runners look for another log every 30 s; what they read of it meanwhile they read again.
  for (let left = 2 * PATIENCE_SECONDS; left > 0 && !signal.aborted; left -= 1) {
    const ids = await readTopicIds(system)
    if (ids.length > 0 && ids.every(id => !before.includes(id))) return
    await seconds(0.5, signal)
  }
  if (signal.aborted) return
  system.blame('I7', `the positions of ${topic} count in the log that is gone, ${PATIENCE_SECONDS} s later`)
}

/** Nothing is acknowledged that no log has, and nobody else waits. */
async function expectMissing(context: FaultContext): Promise<void> {
  const { system, signal } = context
  const probe = createProbe(context, 'missing')
  // What was under way may still be acknowledged by the log that goes.
  await seconds(1, signal)
  let refused = 0
  for (const untilMs = Date.now() + (system.isFull ? 60_000 : 8_000); Date.now() < untilMs && !signal.aborted; ) {
    for (const gateway of system.gateways) {
      const sent = await probe.send(gateway, TOPIC)
      if (sent.kind === 'acked')
        system.blame('I1', `${sent.ref} is acknowledged by ${gateway.name}, and there is no topic`)
      if (sent.kind === 'refused' && (sent.status === 404 || sent.status === 503)) refused += 1
      else if (sent.kind === 'refused')
        system.blame('I9', `${gateway.name} answers ${sent.status}, and there is no topic`)
      const other = await probe.send(gateway, OTHER)
      if (!(await probe.isHandled(OTHER, other, 5_000))) {
        system.blame('I7', `${OTHER} is not written and handled while ${TOPIC} is missing, by ${gateway.name}`)
      }
    }
    await seconds(0.2, signal)
  }
  probe.close()
  system.note(`${refused} probes were refused`)
  if (refused === 0 && !signal.aborted) throw new Error('nothing was refused')
}

async function readTopicIds({ database }: System): Promise<(string | null)[]> {
  const rows = await retry(() => database.sql`SELECT topic_id::text AS id FROM topic_status WHERE topic = ${TOPIC}`)
  return rows.map(({ id }) => id)
}
