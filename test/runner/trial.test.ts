import t from 'tap'
import { createPositionQueries } from '../../db/queries/positions.ts'
import { createAssignedPartition } from '../../runner/assigned-partition.ts'
import { createTrials } from '../../runner/trial.ts'
import { createTurn } from '../../runner/turn.ts'
import { createTestDatabase } from '../_support/database.ts'
import { silent, until } from '../_support/kafka.ts'
import { PLACE } from './_support/records.ts'

const { sql } = await createTestDatabase(t)
const positions = createPositionQueries(sql)
const PARTITION = 0

/** A process that owns the partition, from `position` to `end` of the log. */
function own(position: number, { end = 100, trials = createProcess() } = {}) {
  const partition = createAssignedPartition({ partition: PARTITION, nextOffset: BigInt(position), topicId: null })
  partition.highWatermark = BigInt(end)
  const trial = trials(PARTITION)
  return {
    trial,
    begin: (offset: number) => trial.begin(partition, String(offset)),
    async commit(next: number) {
      await sql`UPDATE topic_status SET next_offset = ${next}, trying_offset = NULL, trying_count = 0`
      partition.position = { ...partition.position, nextOffset: BigInt(next) }
      trial.onCommitted(BigInt(next))
    },
    /** As an operator does it, and as the owner finds it then. */
    async move(next: number) {
      await sql`UPDATE topic_status SET next_offset = ${next}, trying_offset = NULL, trying_count = 0`
      partition.moveTo({ ...partition.position, nextOffset: BigInt(next) })
      trial.onMoved(BigInt(next), Promise.resolve())
    }
  }
}

function createProcess(queries = positions) {
  return createTrials({ ...PLACE, positions: queries, maxAttempts: 2, turn: createTurn({ besideMs: 0 }), log: silent })
}

/** Two processes that ended at a position, one after the other, before they could move it. */
async function endTwice(position: number) {
  await own(position).begin(position)
  await own(position).begin(position)
}

async function noted() {
  const [row] = await sql`SELECT trying_offset::int AS at, trying_count AS count FROM topic_status`
  return row?.at === null ? null : [row?.at, row?.count]
}

t.beforeEach(async () => {
  await sql`TRUNCATE topic_status`
  await positions.create(PLACE.groupId, PLACE.topic, { partition: PARTITION, nextOffset: 5n, topicId: null })
})

t.test('rule 18: notes where an owner begins, once, and goes on without notes', async t => {
  const { trial, begin, commit } = own(5)

  t.equal(trial.isDue('7'), true)
  t.equal(await begin(7), 0)

  t.strictSame(await noted(), [5, -1], 'the position: any record in hand may be the one')
  t.equal(trial.isAlone(), false)
  t.equal(trial.isDue('8'), false)
  await commit(9)
  t.equal(trial.isDue('9'), false)
})

t.test(
  'rule 18: after a second unclean end each record is noted, and one that ends the process again and again is found',
  async t => {
    await endTwice(5)

    const second = own(5)
    t.equal(await second.begin(5), 0)
    t.equal(second.trial.isAlone(), true)
    t.strictSame(await noted(), [5, 1])
    await second.commit(6)
    t.equal(second.trial.isDue('6'), true, 'each record has a note of its own')
    t.equal(await second.begin(6), 0)
    t.strictSame(await noted(), [6, 1])
    t.equal(second.trial.isDue('6'), false, 'a second attempt in the same process is no second end')

    t.equal(await own(6).begin(6), 1)
    t.strictSame(await noted(), [6, 2])
    t.equal(await own(6).begin(6), 2, 'as often as it may')
    t.strictSame(await noted(), [6, 2], 'it is not begun, and so not noted')
  }
)

t.test('rule 18: a single unclean end slows nothing down', async t => {
  await own(5).begin(5)
  const second = own(5)

  await second.begin(5)

  t.equal(second.trial.isAlone(), false)
  t.strictSame(await noted(), [5, 0], 'the next end would be the second')
  await second.commit(9)
  t.equal(await noted(), null)
})

t.test('rule 18: is over when all that was there is settled', async t => {
  await endTwice(5)
  const { trial, begin, commit } = own(5, { end: 7 })

  await begin(5)
  await commit(6)
  t.equal(trial.isAlone(), true)
  await begin(6)
  await commit(7)

  t.equal(trial.isAlone(), false)
  t.equal(trial.isDue('7'), false)
})

t.test('rule 18: is over after as many records as can have been in hand', async t => {
  await endTwice(5)
  const swapNote = async (...[, { from, to }]: Parameters<typeof positions.swapNote>) =>
    from !== null || to?.count !== -1
  const readNote = async () => ({ offset: 5n, count: 0 })
  const { trial, begin } = own(5, { end: 1_000_000, trials: createProcess({ ...positions, swapNote, readNote }) })
  const alone: boolean[] = []

  for (let offset = 5; offset < 2_005; offset += 1) {
    await begin(offset)
    alone.push(trial.isAlone())
    trial.onCommitted(BigInt(offset + 1))
  }

  t.strictSame(new Set(alone), new Set([true]))
  t.equal(trial.isAlone(), false)
})

t.test('rule 18: after a move the first record is noted before it is handled', async t => {
  const { trial, begin, commit, move } = own(5)
  await begin(5)

  await move(8)
  t.equal(trial.isDue('8'), true)
  await begin(8)
  t.strictSame(await noted(), [8, -1])
  await commit(9)
  t.equal(trial.isDue('9'), false)

  await move(2)
  t.equal(trial.isDue('2'), true)
  await begin(2)
  t.strictSame(await noted(), [2, -1])
})

t.test('rule 18: a search goes on after a move to where it looks, and is over after one behind it', async t => {
  await endTwice(5)
  const { trial, begin, move } = own(5)
  await begin(5)

  await move(7)
  t.strictSame([trial.isAlone(), trial.isDue('7')], [true, true])
  await begin(7)
  t.strictSame(await noted(), [7, 1])

  await move(100)
  t.strictSame([trial.isAlone(), trial.isDue('100')], [false, true])
  await begin(100)
  t.strictSame(await noted(), [100, -1])
})

t.test("rule 18: a note that was on its way during a move is not taken for the next record's", async t => {
  let isMoved = false
  const swapNote = async (...given: Parameters<typeof positions.swapNote>) => {
    const isSwapped = await positions.swapNote(...given)
    if (!isMoved) {
      isMoved = true
      await owner.move(8)
    }
    return isSwapped
  }
  const owner = own(5, { trials: createProcess({ ...positions, swapNote }) })

  await Promise.all([owner.begin(5), until(() => isMoved)])
  await owner.begin(8)

  t.strictSame(await noted(), [8, -1])
})

t.test('rule 18: a clean end takes its note back', async t => {
  const { trial, begin } = own(5)
  await begin(5)

  await trial.release()

  t.equal(await noted(), null)
})

t.test('rule 18: a clean end in the middle of a search gives it on, without an end of its own', async t => {
  await endTwice(5)
  await own(5).begin(5)
  const third = own(5)
  t.equal(await third.begin(5), 1)

  await third.trial.release()

  t.strictSame(await noted(), [5, 1])
})

t.test('rule 18: waits for the owner before to take its note back in a rebalance', async t => {
  const first = own(5)
  await first.begin(5)
  const second = own(5)

  const begun = second.begin(5)
  await first.trial.release()
  await begun

  t.equal(second.trial.isAlone(), false)
  t.strictSame(await noted(), [5, -1], 'its own')
})

t.test('rule 18: a note that could not be taken back is no unclean end for the process that left it', async t => {
  let isAway = false
  const swapNote: typeof positions.swapNote = async (...call) => {
    if (isAway) throw new Error('PostgreSQL is away')
    return positions.swapNote(...call)
  }
  const trials = createProcess({ ...positions, swapNote })
  await own(5).begin(5)
  const first = own(5, { trials })
  await first.begin(5)
  isAway = true
  await first.trial.release()
  isAway = false

  const again = own(5, { trials })
  await again.begin(5)
  t.equal(again.trial.isAlone(), false)

  const other = own(5)
  await other.begin(5)
  t.equal(other.trial.isAlone(), true, 'another process cannot know')
})

t.test('rule 18: does not begin before PostgreSQL has the note', async t => {
  let failures = 2
  const swapNote: typeof positions.swapNote = async (...call) => {
    failures -= 1
    if (failures >= 0) throw new Error('PostgreSQL is away')
    return positions.swapNote(...call)
  }
  const { begin } = own(5, { trials: createProcess({ ...positions, swapNote }) })

  await begin(5)

  t.strictSame(await noted(), [5, -1])
})
