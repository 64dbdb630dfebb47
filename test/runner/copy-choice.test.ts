import postgres from 'postgres'
import t from 'tap'
import { createCopyChoice } from '../../runner/copy-choice.ts'
import { PRODUCER_ID } from '../../runner/identify.ts'
import { Type } from '../../sdk/index.ts'
import type { LoadedFunction } from '../../sdk/types.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, idOf, range } from './_support/records.ts'

const bounds = { 0: { logStartOffset: 0n, logEndOffset: 1_000n } }
const known = Object.assign(Object.create(postgres.PostgresError.prototype), { code: '23505', table_name: 'messages' })

/** Cycles until it is on again. */
function rest(choice: ReturnType<typeof createCopyChoice>): number {
  for (let cycles = 0; ; cycles += 1) {
    if (choice.isOn()) return cycles
    choice.onWritten()
  }
}

t.test('rests after an event that is not new, longer each time, and forgets that', async t => {
  const choice = createCopyChoice()
  t.equal(choice.isOn(), true)
  const rests = Array.from({ length: 9 }, () => {
    t.equal(choice.onFailed(known, 'record'), true)
    return rest(choice)
  })
  t.strictSame(rests, [16, 32, 64, 128, 256, 512, 1_024, 1_024, 1_024])

  choice.onWritten()
  choice.onFailed(known, 'record')
  t.equal(rest(choice), 16)
})

t.test('does not answer for what an INSERT is refused with', async t => {
  const choice = createCopyChoice()
  t.equal(choice.onFailed(new Error('a row'), 'record'), false)
  t.equal(choice.isOn(), true)

  t.equal(choice.onFailed(new Error('a view'), 'ours'), true)
  t.equal(choice.onFailed(known, 'record'), false)
  t.equal(rest(choice), 1_024)
})

t.test('is on again when an INSERT met the same fault of ours', async t => {
  const choice = createCopyChoice()
  t.equal(choice.onFailed(new Error('a password'), 'ours'), true)
  t.equal(choice.isOn(), false)
  t.equal(choice.onFailed(new Error('a password'), 'ours'), false)
  t.equal(choice.isOn(), true)

  choice.onFailed(new Error('a view'), 'ours')
  choice.onWritten()
  t.equal(choice.onFailed(new Error('a password'), 'ours'), false, 'what was written by INSERT is told from it')
  t.equal(rest(choice), 1_023)
})

const definition = {
  ...defineTestFunction({ event: Type.Object({ n: Type.Number() }) }),
  kind: 'inbox'
} as LoadedFunction
const records = range(0, 400).map((record, index) => ({
  ...record,
  headers: Object.entries({ id: idOf(index), 'producer-id': PRODUCER_ID }).map(
    ([name, value]) => [name, Buffer.from(value)] as const
  )
}))
const oddities = [
  {
    when: 'one of them is settled already',
    prepare: `INSERT INTO messages (topic, id, partition, "offset", value, headers, timestamp)
      SELECT 'orders', '${idOf(150)}', 0, 150, '{"n":150}', '{}', now()`,
    duplicates: 1
  },
  {
    when: 'the inbox is a view, which no COPY can write into',
    prepare: 'ALTER TABLE messages RENAME TO real; CREATE VIEW messages AS SELECT * FROM real',
    duplicates: 0
  }
]
for (const { when, prepare, duplicates } of oddities) {
  t.test(`settles many records, each once, when ${when}`, async t => {
    const database = await createTestDatabase(t)
    const { attachment, kafka, sql, stored, position, told } = await createTestAttachment(t, definition, {
      bounds,
      database
    })
    await sql.unsafe(prepare)
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)

    await kafka.deliver(batch(0, records))
    await until(async () => (await position())?.next === 400)

    t.strictSame(
      await stored(),
      records.map((_, index) => index)
    )
    const [row] = await sql`SELECT duplicate_count::int AS duplicates, dead_letter_count::int AS dead FROM topic_status`
    t.strictSame({ ...row }, { duplicates, dead: 0 })
    t.strictSame(told, ['running'], 'and the function goes on')
  })
}
