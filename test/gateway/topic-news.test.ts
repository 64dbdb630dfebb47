import t from 'tap'
import { findNews, matchesPlace, toStanding } from '../../gateway/topic-news.ts'

const AT = '2026-01-31T12:00:00.000Z'
const LATER = '2026-01-31T12:00:05.000Z'

type Partitions = Record<number, { next: bigint; messages: number; at?: string | null }>

function standing(partitions: Partitions) {
  const rest = {
    groupId: 'g',
    topic: 'a',
    topicId: null,
    rowCount: 0,
    deadLetterCount: 0,
    duplicateCount: 0,
    lostCount: 0
  }
  return toStanding(
    Object.entries(partitions).map(([partition, { next, messages, at = AT }]) => {
      return { ...rest, partition: Number(partition), nextOffset: next, messageCount: messages, lastMessageAt: at }
    })
  )
}

const place = { topic: 'a', partition: 0 }
const cases: { when: string; before: Partitions; now: Partitions; news: object[] }[] = [
  {
    when: 'a position moved over new messages',
    before: { 0: { next: 5n, messages: 5 } },
    now: { 0: { next: 9n, messages: 8, at: LATER } },
    news: [{ ...place, count: 3, low: '5', high: '9', after: AT, until: LATER }]
  },
  {
    when: 'only copies and dead letters came',
    before: { 0: { next: 5n, messages: 5 } },
    now: { 0: { next: 9n, messages: 5 } },
    news: []
  },
  {
    when: 'a redrive settled one, which lies somewhere before',
    before: { 0: { next: 5n, messages: 5 } },
    now: { 0: { next: 5n, messages: 6 } },
    news: [{ ...place, count: 1, low: '5', high: '5', after: AT, until: AT }]
  },
  {
    when: 'an operator moved the position back',
    before: { 0: { next: 5n, messages: 5 } },
    now: { 0: { next: 2n, messages: 6 } },
    news: [{ ...place, count: 1, low: '2', high: '2', after: AT, until: AT }]
  },
  {
    when: 'a partition is new',
    before: {},
    now: { 0: { next: 2n, messages: 2 } },
    news: [{ ...place, count: 2, low: '0', high: '2', after: null, until: AT }]
  },
  {
    when: 'the database is an older one by now',
    before: { 0: { next: 5n, messages: 5 } },
    now: { 0: { next: 2n, messages: 2 } },
    news: []
  }
]
for (const { when, before, now, news } of cases) {
  t.test(`finds what is new when ${when}`, async t => {
    t.strictSame(findNews(standing(before), standing(now)), news)
  })
}

t.test('tells which streams are about a partition', async t => {
  for (const filters of [{}, { topic: 'a' }, { partition: 0 }, place]) t.ok(matchesPlace(filters, place))
  for (const filters of [{ topic: 'b' }, { partition: 1 }]) t.notOk(matchesPlace(filters, place))
})
