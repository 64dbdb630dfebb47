import t from 'tap'
import { createPlacing } from '../../gateway/place-partitions.ts'

const TOPIC_ID = '0b6ff7b0-0000-4000-8000-000000000001'
const OTHER_ID = '0b6ff7b0-0000-4000-8000-000000000002'
const counts = {
  messageCount: 0,
  rowCount: 0,
  deadLetterCount: 0,
  duplicateCount: 0,
  lostCount: 0,
  lastMessageAt: null
}
const status = { groupId: 'g', topic: 'a', partition: 0, topicId: TOPIC_ID, ...counts }
const view = { partition: 0, leader: 1, replicas: [1], inSyncReplicas: [1], logStartOffset: 20n, logEndOffset: 50n }

function place({ nextOffset, topicId = TOPIC_ID }: { nextOffset?: bigint; topicId?: string | null }, nowMs = () => 0) {
  const placing = createPlacing(nowMs)
  const statuses = nextOffset === undefined ? [] : [{ ...status, nextOffset, topicId }]
  return () => placing('a', { topicId: TOPIC_ID, partitions: [view] }, statuses, new Map([[0, 7n]]))[0]
}

const cases = [
  { when: 'before the first position', given: {}, nextOffset: null, oldestOffset: 20n, lag: 30 },
  { when: 'behind', given: { nextOffset: 44n }, nextOffset: 44n, oldestOffset: 44n, lag: 6 },
  { when: 'caught up', given: { nextOffset: 50n }, nextOffset: 50n, oldestOffset: 50n, lag: 0 },
  // As Kafka's group tool counts.
  { when: 'after retention', given: { nextOffset: 5n }, nextOffset: 5n, oldestOffset: 20n, lag: 45 },
  {
    when: 'of another topic of that name',
    given: { nextOffset: 44n, topicId: OTHER_ID },
    nextOffset: null,
    oldestOffset: 20n,
    lag: 30
  },
  { when: 'of a topic without an id', given: { nextOffset: 44n, topicId: null }, nextOffset: 44n, lag: 6 }
]

for (const { when, given, ...expected } of cases) {
  t.test(`places a position ${when}`, async t => t.match(place(given)(), { ...expected, currentOffset: 7n }))
}

t.test('takes a log that ends before the position for cut, unless it was so for a moment only', async t => {
  let nowMs = 0
  const find = place({ nextOffset: 60n }, () => nowMs)

  t.match(find(), { nextOffset: 60n, lag: 0 })
  nowMs += 2_999
  t.match(find(), { nextOffset: 60n, lag: 0 })
  nowMs += 1
  t.match(find(), { nextOffset: null, lag: 30 })
})
