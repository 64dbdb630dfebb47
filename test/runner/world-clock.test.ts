import t from 'tap'
import { createPositionQueries } from '../../db/queries/positions.ts'
import { createWorldClock } from '../../runner/world-clock.ts'
import { createTestDatabase } from '../_support/database.ts'
import { setClock } from '../_support/set-clock.ts'
import { PLACE } from './_support/records.ts'

const START_MS = 1_700_000_000_000

/** A clock on a machine whose time is the test's. */
function createClock() {
  let nowMs = START_MS
  const clock = createWorldClock({ nowMs: () => nowMs, startMs: 0 })
  return {
    ...clock,
    pass(ms: number) {
      nowMs += ms
    },
    now: () => nowMs
  }
}

t.test('rule 17: counts by the clock of the database, once it is known', async t => {
  const clock = createClock()
  t.equal(clock.ageMs(START_MS - 500), 500)

  clock.learn(START_MS + 3_600_000, START_MS - 10, START_MS + 10)
  t.equal(clock.ageMs(START_MS + 3_600_000 - 500), 500, 'this machine is an hour behind')
  clock.learn(START_MS - 3_600_000, START_MS, START_MS)

  t.equal(clock.ageMs(START_MS - 3_600_000 - 500), 500, 'and now it is an hour ahead')
})

t.test('rule 17: an event grows no older because the clock of the machine is set on', async t => {
  const moveClock = setClock(t)
  const clock = createWorldClock()
  const stampedMs = Date.now()

  moveClock(3_600_000)

  t.ok(clock.ageMs(stampedMs) < 60_000)
})

t.test('rule 17: does not believe an answer that took long', async t => {
  const clock = createClock()

  clock.learn(START_MS + 60_000, START_MS - 5_000, START_MS)

  t.equal(clock.ageMs(START_MS), 0)
})

t.test('rule 17: does not count the time in which the world was waited for', async t => {
  const clock = createClock()
  clock.pass(1_000)
  clock.setWaiting(true)
  clock.pass(10_000)
  clock.setWaiting(true)
  t.equal(clock.ageMs(START_MS), 1_000, 'while it waits')
  clock.pass(10_000)
  clock.setWaiting(false)
  clock.setWaiting(false)
  clock.pass(2_000)

  t.equal(clock.ageMs(START_MS), 3_000, 'older than the wait')
  t.equal(clock.ageMs(START_MS + 11_000), 2_000, 'stamped in the middle of it')
  t.equal(clock.ageMs(START_MS + 21_500), 1_500, 'younger')
  t.equal(clock.ageMs(START_MS + 30_000), -7_000, 'stamped ahead')
})

t.test('rule 17: remembers the time of many waits in bounded memory', async t => {
  const clock = createClock()

  for (let times = 0; times < 1_000; times += 1) {
    clock.setWaiting(true)
    clock.pass(10)
    clock.setWaiting(false)
    clock.pass(1)
  }

  t.ok(clock.ageMs(START_MS) >= 0)
  t.ok(clock.ageMs(START_MS) <= 1_000, 'of 11,000 ms')
  t.equal(clock.ageMs(clock.now() - 55), 5, 'the late ones exactly')
})

t.test('rule 17: the reading of positions tells the clock of the database', async t => {
  const { sql } = await createTestDatabase(t)
  const learnt: number[][] = []
  const positions = createPositionQueries(sql, (...times) => learnt.push(times))
  await positions.create(PLACE.groupId, PLACE.topic, { partition: 0, nextOffset: 0n, topicId: null })

  await positions.read(PLACE.groupId, PLACE.topic)

  const [databaseMs = 0, askedMs = 0, answeredMs = 0] = learnt[0] ?? []
  t.ok(askedMs <= answeredMs)
  t.ok(Math.abs(databaseMs - performance.timeOrigin - answeredMs) < 60_000, 'the same machine here')
})
