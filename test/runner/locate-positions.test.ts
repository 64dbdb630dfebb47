import t from 'tap'
import { createPositionQueries } from '../../db/queries/positions.ts'
import { createPositionLocator } from '../../runner/locate-positions.ts'
import { createTestDatabase } from '../_support/database.ts'
import { silent } from '../_support/kafka.ts'
import { PLACE } from './_support/records.ts'

const ID = '0b6ff7b0-0000-4000-8000-000000000001'
const OTHER_ID = '0b6ff7b0-0000-4000-8000-000000000002'

const { sql } = await createTestDatabase(t)
const positions = createPositionQueries(sql)
t.beforeEach(() => sql`TRUNCATE topic_status`.then())

interface Log {
  topicId?: string | null
  start?: bigint
  end?: bigint
  /** What the cluster tells when it is asked again. */
  later?: { end: bigint }
}

function createLocator({ topicId = ID, start = 0n, end = 100n, later }: Log = {}) {
  let asked = 0
  const offsets = async () => {
    asked += 1
    const logEndOffset = later && asked > 1 ? later.end : end
    return new Map([0, 1].map(partition => [partition, { logStartOffset: start, logEndOffset }]))
  }
  const topicIds = async () => new Map([[PLACE.topic, topicId]])
  return createPositionLocator({ ...PLACE, positions, cluster: { offsets, topicIds }, log: silent })
}

async function settle(at: bigint, log: Log, topicId: string | null = ID) {
  const locator = createLocator(log)
  const position = await positions.create(PLACE.groupId, PLACE.topic, { partition: 0, nextOffset: at, topicId })
  const settled = await locator.settle(position, await locator.readBounds())
  const [row] =
    await sql`SELECT next_offset::int AS next, lost_count::int AS lost, topic_id::text AS id FROM topic_status`
  t.strictSame(settled, { partition: 0, nextOffset: BigInt(row?.next), topicId: row?.id }, 'as it is stored')
  return { next: row?.next, lost: row?.lost, id: row?.id }
}

t.test('rule 2: begins at the start of the log where there is no position', async t => {
  const locator = createLocator({ start: 7n })

  const found = await locator.readOrCreate([0, 1], locator.readBounds)

  t.strictSame(found.get(1), { partition: 1, nextOffset: 7n, topicId: ID })
  t.equal((await positions.read(PLACE.groupId, PLACE.topic)).size, 2)
  t.strictSame(await createLocator({ start: 9n }).readOrCreate([0, 1], locator.readBounds), found, 'and stays there')
})

t.test('rule 2: takes the position of an owner that was faster', async t => {
  const locator = createLocator({ start: 7n })
  const bounds = async () => {
    await positions.create(PLACE.groupId, PLACE.topic, { partition: 0, nextOffset: 3n, topicId: ID })
    return locator.readBounds()
  }

  t.equal((await locator.readOrCreate([0], bounds)).get(0)?.nextOffset, 3n)
})

t.test('asks Kafka only where a position is missing', async t => {
  const locator = createLocator()
  await locator.readOrCreate([0], locator.readBounds)

  const found = await locator.readOrCreate([0], () => Promise.reject(new Error('no broker answers')))

  t.equal(found.get(0)?.nextOffset, 0n)
})

t.test('refuses a topic that does not exist', async t => {
  const cluster = { offsets: async () => new Map(), topicIds: async () => new Map() }
  const locator = createPositionLocator({ ...PLACE, positions, cluster, log: silent })

  await t.rejects(locator.readBounds(), { code: 'SMG_RUNNER_NO_TOPIC' })
})

const cases: { when: string; at: bigint; log: Log; was?: string | null; expected: object }[] = [
  { when: 'it is within the log', at: 5n, log: {}, expected: { next: 5, lost: 0, id: ID } },
  { when: 'it is at the start', at: 4n, log: { start: 4n }, expected: { next: 4, lost: 0 } },
  { when: 'it is at the end', at: 100n, log: {}, expected: { next: 100, lost: 0 } },
  { when: 'retention removed records', at: 2n, log: { start: 9n }, expected: { next: 9, lost: 7 } },
  { when: 'retention removed all', at: 2n, log: { start: 9n, end: 9n }, expected: { next: 9, lost: 7 } },
  {
    when: 'the topic was made anew and is longer already',
    at: 50n,
    log: { topicId: OTHER_ID },
    expected: { next: 0, lost: 0, id: OTHER_ID }
  },
  {
    when: 'the topic was made anew and is shorter',
    at: 50n,
    log: { topicId: OTHER_ID, end: 3n },
    expected: { next: 0, lost: 0, id: OTHER_ID }
  },
  {
    when: 'the broker tells the id for the first time',
    at: 50n,
    was: null,
    log: {},
    expected: { next: 50, lost: 0, id: ID }
  },
  {
    when: 'the broker does not tell the id any more',
    at: 50n,
    log: { topicId: null },
    expected: { next: 50, lost: 0, id: ID }
  }
]
for (const { when, at, log, was, expected } of cases) {
  t.test(`rule 4: gives the position when ${when}`, async t => {
    t.match(await settle(at, log, was), expected)
  })
}

t.test('rule 4: begins again when the log was cut, and it stays so', { timeout: 20_000 }, async t => {
  t.match(await settle(50n, { start: 2n, end: 10n }), { next: 2, lost: 0 })
})

t.test('rule 4: stays when a new leader told an end that was behind for a moment', { timeout: 20_000 }, async t => {
  t.match(await settle(50n, { end: 10n, later: { end: 60n } }), { next: 50, lost: 0 })
})

t.test('takes the position of another owner that moved it first', async t => {
  const locator = createLocator({ start: 9n })
  const stale = { partition: 0, nextOffset: 2n, topicId: ID }
  await positions.create(PLACE.groupId, PLACE.topic, { partition: 0, nextOffset: 12n, topicId: ID })

  const settled = await locator.settle(stale, await locator.readBounds())

  t.equal(settled.nextOffset, 12n)
  const [row] = await sql`SELECT next_offset::int AS next, lost_count::int AS lost FROM topic_status`
  t.strictSame({ ...row }, { next: 12, lost: 0 })
})

t.test('leaves a partition alone of which the cluster tells nothing', async t => {
  const cluster = { offsets: async () => new Map(), topicIds: async () => new Map([[PLACE.topic, ID]]) }
  const locator = createPositionLocator({ ...PLACE, positions, cluster, log: silent })
  const position = { partition: 0, nextOffset: 2n, topicId: ID }

  t.equal(await locator.settle(position, await locator.readBounds()), position)
})
