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

/** A process that ended twice at the heads of its partitions, and a function of it that finds that. */
function createProcess({ turn = createTurn({ besideMs: 0 }), queries = positions } = {}) {
  const trials = createTrials({ ...PLACE, positions: queries, maxAttempts: 2, turn, log: silent })
  return (partition: number) => {
    const assigned = createAssignedPartition({ partition, nextOffset: 5n, topicId: null })
    assigned.highWatermark = 100n
    const trial = trials(partition)
    return {
      trial,
      revoke: assigned.revoke,
      begin: (offset: number, signal?: AbortSignal) => trial.begin(assigned, String(offset), signal),
      async commit(next: number) {
        await sql`UPDATE topic_status SET next_offset = ${next}, trying_offset = NULL, trying_count = 0
          WHERE partition = ${partition}`
        assigned.position = { ...assigned.position, nextOffset: BigInt(next) }
        trial.onCommitted(BigInt(next))
      },
      async move(next: number) {
        await sql`UPDATE topic_status SET next_offset = ${next}, trying_offset = NULL, trying_count = 0
          WHERE partition = ${partition}`
        assigned.moveTo({ ...assigned.position, nextOffset: BigInt(next) })
        trial.onMoved(BigInt(next), Promise.resolve())
      }
    }
  }
}

async function noted() {
  const rows = await sql`SELECT trying_count AS count FROM topic_status ORDER BY partition`
  return rows.map(({ count }) => count)
}

function watch(promise: Promise<unknown>) {
  const watched = { isDone: false }
  void promise.then(() => {
    watched.isDone = true
  })
  return watched
}

/** Long enough for a note, were it made. */
function aWhile() {
  return new Promise(resolve => setTimeout(resolve, 1_300))
}

t.beforeEach(async () => {
  await sql`TRUNCATE topic_status`
  await sql`INSERT INTO topic_status (group_id, topic, partition, next_offset, trying_offset, trying_count)
    SELECT ${PLACE.groupId}, ${PLACE.topic}, partition, 5, 5, 0 FROM generate_series(0, 1) AS partition`
})

t.test('rule 18: notes one record at a time in the whole process, whatever partition it is of', async t => {
  const turn = createTurn({ besideMs: 0 })
  const [deadly, innocent] = [createProcess({ turn })(0), createProcess({ turn })(1)]
  await deadly.begin(5)

  const waiting = watch(innocent.begin(5))
  await aWhile()
  t.equal(waiting.isDone, false)
  t.strictSame(await noted(), [1, 0], 'were the process to end now, it would be counted against one')

  await deadly.commit(6)
  await until(() => waiting.isDone)
  t.strictSame(await noted(), [0, 1])
})

t.test('rule 18: a partition that goes to another runner gives the turn on', async t => {
  const own = createProcess()
  const [first, second] = [own(0), own(1)]
  await first.begin(5)
  const waiting = watch(second.begin(5))

  first.revoke()
  await first.trial.release()

  await until(() => waiting.isDone)
  t.strictSame(await noted(), [0, 1])
})

t.test('rule 18: a partition that goes to another runner keeps the turn while something of it runs', async t => {
  const own = createProcess()
  const [first, second] = [own(0), own(1)]
  await first.begin(5)
  const waiting = watch(second.begin(5))
  let end: () => void = () => undefined
  const ended = new Promise<void>(resolve => {
    end = resolve
  })

  first.revoke()
  const released = first.trial.release(ended)
  await until(async () => (await noted())[0] === 0)
  await aWhile()
  t.equal(waiting.isDone, false, 'its end would be counted against the second')
  end()
  await released

  await until(() => waiting.isDone)
  t.strictSame(await noted(), [0, 1])
})

t.test('rule 18: what waited for its turn when the position moved is not noted at the new one', async t => {
  const own = createProcess()
  const [first, second] = [own(0), own(1)]
  await first.begin(5)
  const old = second.begin(5)
  await until(async () => second.trial.isAlone())

  await second.move(8)
  const next = second.begin(8)
  await first.commit(6)
  await Promise.all([old, next])

  const [row] = await sql`SELECT trying_offset::int AS at, trying_count AS count FROM topic_status WHERE partition = 1`
  t.match(row, { at: 8, count: 1 })
})

t.test('rule 18: nothing is noted, and no turn given on, while something runs that was dropped', async t => {
  const own = createProcess()
  const [first, second] = [own(0), own(1)]
  await first.begin(5)
  const waiting = watch(second.begin(5))
  let end: () => void = () => undefined

  first.trial.rest(
    new Promise<void>(resolve => {
      end = resolve
    })
  )
  const again = watch(first.begin(6))
  await aWhile()
  t.strictSame([waiting.isDone, again.isDone], [false, false])
  end()

  await until(() => again.isDone)
  t.equal(waiting.isDone, false)
  await first.commit(7)
  await until(() => waiting.isDone)
})

t.test('rule 18: a clean end does not wait for what was dropped to take its note back', async t => {
  const first = createProcess()(0)
  await first.begin(5)

  first.trial.rest(new Promise<void>(() => undefined))
  first.revoke()
  await first.trial.release()

  t.strictSame(await noted(), [0, 0])
})

t.test('rule 18: who waits for the turn stops waiting when the partition is revoked, or at a stop', async t => {
  const own = createProcess()
  const [first, second] = [own(0), own(1)]
  await first.begin(5)
  const stopping = new AbortController()
  const stopped = second.begin(5, stopping.signal)
  stopping.abort()
  t.equal(await stopped, 0)

  const waiting = second.begin(5)
  second.revoke()
  t.equal(await waiting, 0)
  await second.trial.release()

  t.strictSame(await noted(), [1, 0])
})

t.test(
  'rule 18: a record that rests lets others have the turn, keeps it when nobody wants it, and comes back',
  async t => {
    const own = createProcess()
    const [first, second] = [own(0), own(1)]
    await first.begin(5)

    first.trial.rest()
    t.equal(first.trial.isDue('5'), true)
    t.equal(await first.begin(5), 0)
    t.strictSame(await noted(), [1, 0], 'a second attempt is no second start')

    first.trial.rest()
    await second.begin(5)
    t.strictSame(await noted(), [0, 1], 'its note is taken back: an end would not be its own')
    const back = watch(first.begin(5))
    await aWhile()
    t.equal(back.isDone, false)
    await second.commit(6)
    await until(() => back.isDone)
    t.strictSame(await noted(), [1, 0])
    t.equal(first.trial.isDue('5'), false)
  }
)

t.test('rule 18: gives the turn on at once when somebody waits already, and can still be committed', async t => {
  const own = createProcess()
  const [first, second] = [own(0), own(1)]
  await first.begin(5)
  const waiting = watch(second.begin(5))

  first.trial.rest()
  await until(() => waiting.isDone)
  await first.commit(6)

  t.strictSame(await noted(), [0, 1])
  const next = watch(first.begin(6))
  await aWhile()
  t.equal(next.isDone, false, 'the turn is not its own any more')
})

t.test('rule 18: keeps the turn while PostgreSQL does not take the note back', async t => {
  let isAway = false
  const swapNote: typeof positions.swapNote = async (...call) => {
    if (isAway) throw new Error('PostgreSQL is away')
    return positions.swapNote(...call)
  }
  const turn = createTurn({ besideMs: 0 })
  const first = createProcess({ turn, queries: { ...positions, swapNote } })(0)
  const second = createProcess({ turn })(1)
  await first.begin(5)
  const waiting = watch(second.begin(5))

  isAway = true
  first.trial.rest()
  await aWhile()
  t.equal(waiting.isDone, false)
  isAway = false

  await until(() => waiting.isDone)
  t.strictSame(await noted(), [0, 1])
})

t.test(
  'rule 18: a partition that nobody suspects waits for no turn, and is waited for until its first commit',
  async t => {
    const own = createProcess({ turn: createTurn() })
    const [suspect, other] = [own(0), own(1)]
    await sql`UPDATE topic_status SET trying_offset = NULL WHERE partition = 1`
    await other.begin(5)

    const waiting = watch(suspect.begin(5))
    await aWhile()
    t.equal(waiting.isDone, false)
    await other.commit(6)
    await until(() => waiting.isDone)

    t.equal(other.trial.isDue('6'), false)
  }
)
