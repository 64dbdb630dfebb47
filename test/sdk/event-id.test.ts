import t from 'tap'
import { createEventId, deriveEventId, isEventId, timestampMsOf } from '../../sdk/event-id.ts'

const AT = 1_700_000_000_123

t.test('makes UUIDs of version 7 that no other call makes', async t => {
  // More than the pool of random bytes holds at once.
  const ids = Array.from({ length: 1_500 }, () => createEventId(AT))

  t.equal(new Set(ids).size, ids.length)
  t.ok(ids.every(isEventId))
  t.ok(ids.every(id => timestampMsOf(id) === AT))
})

t.test('sorts by time', async t => {
  const times = [0, 1, 65_535, 65_536, AT, AT + 1, 2 ** 48 - 1]

  const ids = times.map(createEventId)

  t.strictSame(ids.toSorted(), ids)
  t.strictSame(ids.map(timestampMsOf), times)
})

const odd = [
  { ms: -1, as: 0 },
  { ms: Number.NaN, as: 0 },
  { ms: 1.9, as: 1 },
  { ms: Number.POSITIVE_INFINITY, as: 2 ** 48 - 1 },
  { ms: 2 ** 60, as: 2 ** 48 - 1 }
]
for (const { ms, as } of odd) {
  t.test(`takes the time ${ms} for ${as}`, async t => {
    const id = createEventId(ms)

    t.ok(isEventId(id), id)
    t.equal(timestampMsOf(id), as)
  })
}

t.test('derives the same id of the same parts', async t => {
  const id = deriveEventId(AT, ['topic', Buffer.from('ab'), null])

  t.ok(isEventId(id), id)
  t.equal(timestampMsOf(id), AT)
  t.equal(deriveEventId(AT, ['topic', 'ab', null]), id, 'a text is its bytes')
  t.equal(id, '018bcfe5-687b-7937-a656-5bd45e4e79a6', 'in this version and in every other')
})

const others: (string | Buffer | null)[][] = [
  ['ab', 'c'],
  ['a', 'bc'],
  ['abc'],
  ['abc', ''],
  ['abc', null],
  ['', 'abc'],
  ['null;', 'abc'],
  [null, 'abc'],
  ['4;null', 'abc'],
  []
]
t.test('derives another id of other parts', async t => {
  const ids = others.map(parts => deriveEventId(AT, parts))

  t.equal(new Set(ids).size, others.length)
})

const texts = [
  { text: '018bcfe5-687b-7000-8000-000000000000', is: true },
  { text: '018BCFE5-687B-7000-8000-000000000000', is: false },
  { text: '018bcfe5-687b-4000-8000-000000000000', is: false },
  { text: '018bcfe5-687b-7000-c000-000000000000', is: false },
  { text: '018bcfe5-687b-7000-8000-000000000000\n', is: false },
  { text: '018bcfe5687b70008000000000000000', is: false },
  { text: '', is: false }
]
for (const { text, is } of texts) {
  t.test(`takes ${JSON.stringify(text)} for ${is ? 'an id' : 'no id'}`, async t => t.equal(isEventId(text), is))
}
