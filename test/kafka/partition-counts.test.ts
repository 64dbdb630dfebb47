import t from 'tap'
import type { Metadata } from '../../kafka/metadata.ts'
import { createPartitionCounts } from '../../kafka/partition-counts.ts'
import { until } from '../_support/kafka.ts'

/** Metadata of topic `a` with so many partitions; without the topic for 0. */
function metadata(count: number, topicId = 'one'): Metadata {
  const partitions = Array.from({ length: count }, (_, partition) => ({
    partition,
    leader: 1,
    replicas: [1],
    inSyncReplicas: [1]
  }))
  return { brokers: [], controllerId: 1, topics: new Map(count > 0 ? [['p.a', { topicId, partitions }]] : []) }
}

function createCounts(
  t: Pick<typeof import('tap').default, 'teardown'>,
  answer: () => Promise<Metadata>,
  refreshMs = 60_000
) {
  const seen = { asked: 0, outcomes: [] as unknown[] }
  const counts = createPartitionCounts({
    link: {
      call: work => work(),
      metadata: () => {
        seen.asked += 1
        return answer()
      },
      close: async () => undefined
    },
    toKafkaTopic: topic => `p.${topic}`,
    onOutcome: failure => void seen.outcomes.push(failure),
    refreshMs
  })
  t.teardown(() => counts.close())
  return { counts, seen }
}

t.test('asks once for many, and not again soon', async t => {
  const { counts, seen } = createCounts(t, async () => metadata(3))

  t.strictSame(await Promise.all([counts.get('a'), counts.get('a')]), [3, 3])
  t.equal(await counts.get('a'), 3)
  t.equal(seen.asked, 1)
})

t.test('rejects for a topic that there is not, and asks again the next time', async t => {
  const answers = [metadata(0), metadata(2)]
  const { counts } = createCounts(t, async () => answers.shift() as Metadata)

  await t.rejects(async () => counts.get('a'), { code: 'SMG_KAFKA_NO_TOPIC' })
  t.equal(await counts.get('a'), 2)
})

const refreshes = [
  { when: 'partitions were added', next: async () => metadata(6), count: 6 },
  { when: 'a broker that is behind tells less', next: async () => metadata(2), count: 3 },
  { when: 'the topic was made anew with less', next: async () => metadata(2, 'two'), count: 2 },
  { when: 'no broker answers', next: async () => Promise.reject(new Error('away')), count: 3 }
]

for (const { when, next, count } of refreshes) {
  t.test(`gives ${count} after a refresh when ${when}`, async t => {
    let answer = async () => metadata(3)
    const { counts, seen } = createCounts(t, () => answer(), 5)

    t.equal(await counts.get('a'), 3)
    answer = next
    const { length } = seen.outcomes
    await until(() => seen.outcomes.length > length + 1)

    t.equal(await counts.get('a'), count)
  })
}
