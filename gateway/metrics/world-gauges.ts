import type { Producer } from '../../kafka/types.ts'
import type { OutcomeWaiters } from '../outcome-waiters.ts'
import type { Sampler, Snapshot } from '../sampler.ts'
import { type createGauges, single } from './gauges.ts'

interface Watched {
  readonly producer: Pick<Producer, 'queuedBytes' | 'sendsInFlight'>
  readonly waiters: Pick<OutcomeWaiters, 'count'>
  readonly sampler: Pick<Sampler, 'snapshot'>
}

/** Shows the state of this process, and what the sampler saw last of Kafka and PostgreSQL. */
export function addWorldGauges(add: ReturnType<typeof createGauges>, { producer, waiters, sampler }: Watched): void {
  const addOne = (name: string, help: string, read: () => number | null) => add({ name, help }, () => single(read()))
  const addSeen = (name: string, help: string, read: (seen: Snapshot) => number | null | undefined) =>
    addOne(name, help, () => read(sampler.snapshot()) ?? null)
  const isUp = ({ atMs, away }: Snapshot, part: keyof Snapshot['away']) =>
    atMs === null ? null : Number(away[part] === null)

  addOne('smg_producer_queued_bytes', 'Bytes that wait for Kafka or are in flight', producer.queuedBytes)
  addOne('smg_producer_sends_in_flight', 'Sends to Kafka that are under way', producer.sendsInFlight)
  addOne('smg_waiting_requests', 'Requests that wait for the outcome of their event', waiters.count)

  addSeen('smg_kafka_up', '1 while Kafka answers', seen => isUp(seen, 'kafka'))
  addSeen('smg_kafka_brokers', 'Brokers that answer', ({ brokers }) => brokers)
  addSeen(
    'smg_kafka_brokers_expected',
    'Brokers that hold replicas, or answered within the last day',
    ({ brokersExpected }) => brokersExpected
  )
  addSeen('smg_kafka_under_replicated_partitions', 'Of the functions’ topics', seen => seen.underReplicatedPartitions)
  addSeen('smg_kafka_disk_used_ratio', 'Of the volumes that the brokers’ logs are on', ({ logDirs }) =>
    logDirs && logDirs.totalBytes > 0n ? 1 - Number(logDirs.usableBytes) / Number(logDirs.totalBytes) : null
  )

  addSeen('smg_database_up', '1 while PostgreSQL answers', seen => isUp(seen, 'database'))
  addSeen('smg_database_size_bytes', 'Of the database', ({ database }) => database.stats?.sizeBytes)
  addSeen(
    'smg_outbox_waiting',
    'Events of the outbox that Kafka has not taken yet',
    seen => seen.database.outbox?.waiting
  )
  addSeen(
    'smg_outbox_oldest_seconds',
    'Age of the event of the outbox that waits longest',
    seen => seen.database.outbox?.oldestSeconds
  )
  const connections = {
    name: 'db_client_connection_count',
    help: 'Connections of all parts to this database',
    labelNames: ['state']
  }
  add(connections, () => {
    const { stats } = sampler.snapshot().database
    if (!stats) return []
    const { connectionCount, usedConnectionCount } = stats
    return [
      [{ state: 'used' }, usedConnectionCount],
      [{ state: 'idle' }, connectionCount - usedConnectionCount]
    ]
  })
}
