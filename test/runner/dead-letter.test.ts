import t from 'tap'
import { insertDeadLetters } from '../../db/queries/dead-letter-writes.ts'
import { createWriter } from '../../db/writer.ts'
import { toDeadLetter } from '../../runner/dead-letter.ts'
import { isEventId } from '../../sdk/event-id.ts'
import { toTime } from '../../sdk/record.ts'
import { createTestDatabase } from '../_support/database.ts'
import { identified, idOf, PLACE, TIME_MS } from './_support/records.ts'

const dead = { kind: 'dead', stage: 'handle', disposition: 'attempts_exhausted', attempts: 3 } as const
const limits = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const { databaseUrl, sql } = await createTestDatabase(t)
const writer = createWriter(databaseUrl, { applicationName: 'test' })
t.teardown(() => writer.close())

async function store(letter: ReturnType<typeof toDeadLetter>) {
  await writer.transaction(tx => insertDeadLetters(tx, PLACE, [letter]), limits)
  const [row] = await sql`SELECT *, headers::text AS headers FROM dead_letters WHERE event_id = ${letter.eventId}`
  return row
}

t.test('keeps the record byte for byte', async t => {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const record = identified(1, everyByte, {
    key: Buffer.from([0xff, 0]),
    headers: [
      ['constructor', everyByte],
      ['constructor', null],
      ['__proto__', Buffer.alloc(0)],
      ['bad\u0000name\ud800', Buffer.from('x')]
    ]
  })

  const row = await store(toDeadLetter(record, { ...dead, error: new Error('no') }, TIME_MS))

  t.ok(everyByte.equals(row?.value))
  t.ok(Buffer.from([0xff, 0]).equals(row?.key))
  t.strictSame(JSON.parse(row?.headers), [
    ['constructor', everyByte.toString('base64')],
    ['constructor', null],
    ['__proto__', ''],
    ['bad\ufffdname\ufffd', Buffer.from('x').toString('base64')]
  ])
  t.match(row, { offset: '1', partition: 0, stage: 'handle', disposition: 'attempts_exhausted', attempts: 3 })
  t.ok(isEventId(row?.id))
})

t.test('parts a null value from an empty one', async t => {
  const tombstone = await store(toDeadLetter(identified(2, null), { ...dead, error: new Error('no') }, TIME_MS))
  const empty = await store(
    toDeadLetter(identified(3, '', { key: Buffer.alloc(0) }), { ...dead, error: new Error('no') }, TIME_MS)
  )

  t.equal(tombstone?.value, null)
  t.equal(tombstone?.key, null)
  t.equal(empty?.value.length, 0)
  t.equal(empty?.key.length, 0)
})

const hostile: { when: string; error: () => unknown; name?: string; message?: RegExp }[] = [
  { when: 'its message holds \\u0000', error: () => new Error('a\u0000b'), message: /^a\ufffdb$/ },
  { when: 'its message holds half of a surrogate pair', error: () => new Error('a\ud800'), message: /^a\ufffd$/ },
  { when: 'its message is cut within a surrogate pair', error: () => new Error(`${'x'.repeat(8_191)}😀`) },
  { when: 'its stack is huge', error: () => Object.assign(new Error('x'), { stack: 's\u0000'.repeat(5_000_000) }) },
  { when: 'its stack is a list', error: () => Object.assign(new Error('x'), { stack: ['a', 'b'] }), message: /^x$/ },
  { when: 'its message is a number', error: () => Object.assign(new Error('x'), { message: 42 }), message: /^42$/ },
  { when: 'its message is a symbol', error: () => Object.assign(new Error('x'), { message: Symbol('s') }) },
  { when: 'its name is an object', error: () => Object.assign(new Error('x'), { name: {} }), name: 'Error' },
  {
    when: 'its name holds \\u0000',
    error: () => Object.assign(new Error('x'), { name: 'A\u0000' }),
    name: 'A\ufffd'
  },
  {
    when: 'all of its members throw',
    error: () =>
      new Proxy(new Error('x'), {
        get() {
          throw new Error('no')
        }
      })
  },
  { when: 'it is undefined', error: () => undefined },
  { when: 'it is null', error: () => null },
  { when: 'it is text', error: () => 'text', message: /text/ },
  { when: 'it is frozen', error: () => Object.freeze(new RangeError('r')), name: 'RangeError' },
  {
    when: 'it is its own cause',
    error: () => {
      const error = new Error('round')
      error.cause = error
      return error
    },
    message: /round/
  },
  {
    when: 'it is one of ours',
    error: () => Object.assign(new Error('x'), { code: 'SMG_SDK_BAD_JSON' }),
    name: 'SMG_SDK_BAD_JSON'
  }
]
for (const [index, { when, error, name, message }] of hostile.entries()) {
  t.test(`stores a failure when ${when}`, async t => {
    const row = await store(toDeadLetter(identified(100 + index), { ...dead, error: error() }, TIME_MS))

    t.type(row?.error_message, 'string')
    t.ok(row?.error_message.length <= 8_192 && (row?.error_stack?.length ?? 0) <= 32_768)
    if (name) t.equal(row?.error_name, name)
    if (message) t.match(row?.error_message, message)
  })
}

t.test('names a refusal of PostgreSQL by its SQLSTATE', async t => {
  const error = await writer.transaction(tx => tx.query('SELECT 1 / 0'), limits).catch(reason => reason)

  t.equal(toDeadLetter(identified(1), { ...dead, error }, TIME_MS).errorName, 'sql:22012')
})

// Milliseconds, and what a producer stamps that means other units.
for (const timestampMs of [
  0,
  -1,
  TIME_MS,
  TIME_MS * 1e3,
  TIME_MS * 1e6,
  8.64e15,
  -8.64e15,
  253_402_300_800_000,
  Number.NaN
]) {
  t.test(`stores a record whose time is ${timestampMs}`, async t => {
    const id = idOf(Math.trunc(Math.random() * 1e9))
    const record = identified(1, 'x', { id, timestampMs })

    t.ok(await store(toDeadLetter(record, { ...dead, error: new Error('no') }, TIME_MS)))
  })
}

t.test('gives the time of a record in ISO 8601', async t => {
  t.equal(toTime(TIME_MS), '2023-11-14T22:13:20.000Z')
})
