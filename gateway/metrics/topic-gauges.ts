import type { Sampler } from '../sampler.ts'
import type { PartitionReading, TopicReading } from '../topic-reader.ts'
import type { createGauges, Point } from './gauges.ts'

const STATES = ['running', 'paused', 'stopped', 'flooded']

/** Shows what the sampler saw last of the topics and their functions. */
export function addTopicGauges(
  add: ReturnType<typeof createGauges>,
  sampler: Pick<Sampler, 'snapshot' | 'drainSecondsOf'>
): void {
  const labelNames = ['topic']

  function addTopic(name: string, help: string, read: (topic: TopicReading) => number | null) {
    add({ name, help, labelNames }, () => sampler.snapshot().topics.map(topic => [{ topic: topic.topic }, read(topic)]))
  }
  function addPartition(name: string, help: string, read: (partition: PartitionReading) => number | bigint | null) {
    add({ name, help, labelNames: ['topic', 'partition'] }, function* (): Iterable<Point> {
      for (const { topic, partitions } of sampler.snapshot().topics) {
        for (const one of partitions) {
          const value = read(one)
          yield [{ topic, partition: one.partition }, value === null ? null : Number(value)]
        }
      }
    })
  }

  addPartition('smg_lag_records', 'Records that are not settled yet', ({ lag }) => lag)
  addPartition('smg_lag_seconds', 'Age of the oldest record that is not settled', ({ lagSeconds }) => lagSeconds)
  addPartition('smg_position', 'What is handled next', ({ nextOffset }) => nextOffset)
  addPartition('smg_log_end_offset', 'Of the next record to be written', ({ logEndOffset }) => logEndOffset)
  addPartition('smg_log_start_offset', 'Of the oldest record that Kafka holds', ({ logStartOffset }) => logStartOffset)
  addTopic('smg_time_to_drain_seconds', 'Until what waits now is settled, at the pace of the last minute', one =>
    sampler.drainSecondsOf(one.topic)
  )
  addTopic('smg_topic_messages', 'Settled events', ({ messageCount }) => messageCount)
  addTopic('smg_topic_dead_letters', 'Dead letters that were ever written', ({ deadLetterCount }) => deadLetterCount)
  addTopic('smg_topic_lost_records', 'Removed by retention before they were handled', ({ lostCount }) => lostCount)

  const waiting = (topic: string) => {
    const { deadLetters } = sampler.snapshot().database
    return deadLetters && (deadLetters.get(topic) ?? { waiting: 0, oldestSeconds: 0 })
  }
  addTopic('smg_dead_letters_waiting', 'Dead letters that are neither resolved nor discarded', ({ topic }) => {
    return waiting(topic)?.waiting ?? null
  })
  addTopic('smg_dead_letters_oldest_seconds', 'Since the oldest of them died; 0 without one', ({ topic }) => {
    return waiting(topic)?.oldestSeconds ?? null
  })

  const stateOf = ({ topic, group }: TopicReading) => {
    const written = sampler.snapshot().functionStates.find(state => state.topic === topic && state.groupId === group)
    return written?.isFlood ? 'flooded' : (written?.state ?? 'running')
  }
  addTopic('smg_function_running', '1 while the function runs, as its runners and operators wrote it down', topic =>
    Number(stateOf(topic) === 'running')
  )
  add(
    {
      name: 'smg_function_state',
      help: '1 for the state that it is in; flooded is stopped by a flood of dead letters',
      labelNames: ['topic', 'state']
    },
    () =>
      sampler
        .snapshot()
        .topics.flatMap(topic =>
          STATES.map(state => [{ topic: topic.topic, state }, Number(stateOf(topic) === state)] as const)
        )
  )
}
