import t from 'tap'
import { createRecordAges } from '../../gateway/record-ages.ts'
import type { ClusterView } from '../../kafka/types.ts'

const NOW_MS = Date.UTC(2026, 0, 31, 12)
const place = { topic: 'a', topicId: 'id', partition: 0, leader: 1, offset: 4n, logEndOffset: 9n }

function createAges(answer: (offset: bigint) => number | null | undefined | Promise<never>) {
  const clock = { nowMs: NOW_MS, steadyMs: 0 }
  const asked: bigint[] = []
  const oldest: ClusterView['oldest'] = places =>
    Promise.all(
      places.map(async ({ offset }) => {
        asked.push(offset)
        const timestampMs = await answer(offset)
        return typeof timestampMs === 'number' ? { offset, timestampMs } : timestampMs
      })
    )
  const readAges = createRecordAges({ cluster: { oldest }, now: () => clock.nowMs, steadyMs: () => clock.steadyMs })
  return { clock, asked, ageOf: async (given = place) => (await readAges([given], 50))[0] }
}

t.test('gives the age of a record by its timestamp, and asks once for a position', async t => {
  const { clock, asked, ageOf } = createAges(() => NOW_MS - 60_000)

  t.equal(await ageOf(), 60)
  clock.steadyMs += 5_000
  t.equal(await ageOf({ ...place, logEndOffset: 20n }), 65)
  t.equal(await ageOf({ ...place, offset: 5n }), 60, 'of another position')
  t.strictSame(asked, [4n, 5n])
})

t.test('goes by what time went by, not by a clock that was set meanwhile', async t => {
  const { clock, ageOf } = createAges(() => NOW_MS - 10_000)
  await ageOf()

  clock.nowMs += 86_400_000
  clock.steadyMs += 1_000

  t.equal(await ageOf(), 11)
})

t.test('is 0 for a record that was stamped by a clock that is ahead', async t => {
  const { ageOf } = createAges(() => NOW_MS + 10_000)

  t.equal(await ageOf(), 0)
})

t.test('is 0 where no record is, until the log goes on', async t => {
  let timestampMs: number | null = null
  const { asked, ageOf } = createAges(() => timestampMs)

  t.equal(await ageOf(), 0)
  t.equal(await ageOf(), 0)
  t.equal(asked.length, 1)
  timestampMs = NOW_MS - 2_000
  t.equal(await ageOf({ ...place, logEndOffset: 10n }), 2)
})

t.test(
  'is not known of a record without a timestamp, nor where the leader does not tell, and asks there again',
  async t => {
    t.equal(await createAges(() => -1).ageOf(), null)
    const { asked, ageOf } = createAges(() => undefined)

    t.equal(await ageOf(), null)
    t.equal(await ageOf(), null)
    t.equal(asked.length, 2)
  }
)

t.test('does not wait long, nor take what was of another topic of that name', async t => {
  const { ageOf } = createAges(() => new Promise<never>(() => undefined))
  t.equal(await ageOf(), null)

  let timestampMs = NOW_MS - 9_000
  const recreated = createAges(() => timestampMs)
  await recreated.ageOf()
  timestampMs = NOW_MS - 1_000
  t.equal(await recreated.ageOf({ ...place, topicId: 'another' }), 1)
})
