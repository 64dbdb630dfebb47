import { pino } from 'pino'
import t from 'tap'
import { NonRetriableError, Type } from '../../sdk/index.ts'
import type { Input } from '../../sdk/types.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, fetched } from './_support/records.ts'

const database = await createTestDatabase(t)
const event = Type.Object({ n: Type.Number() })
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const headers = [['traceparent', Buffer.from(`00-${traceId}-00f067aa0ba902b7-01`)] as const]
const bounds = { 0: { logStartOffset: 0n, logEndOffset: 1_000n } }

function collect(level: string) {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const find = (msg: string) => lines.filter(line => line.msg === msg)
  return { log, find }
}

for (const kind of ['inbox', 'transaction'] as const) {
  t.test(`writes a line a transaction, and what became of a record with its trace (${kind})`, async t => {
    let isFirst = true
    const handle = ({ event: { n } }: Input<typeof event>) => {
      if (n !== 1) return
      if (isFirst) {
        isFirst = false
        throw new TypeError('not yet')
      }
      throw new NonRetriableError('never')
    }
    const definition = { ...defineTestFunction({ event, handle, backoffMs: { min: 1, max: 1 } }), kind }
    const { log, find } = collect('debug')
    const { attachment, kafka, position } = await createTestAttachment(t, definition, { database, bounds, log })
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)

    await kafka.deliver(batch(0, [fetched(0), fetched(1, { n: 1 }, { headers }), fetched(2)]))
    await until(async () => (await position())?.next === 3)

    const place = { partition: 0, offset: '1', traceId }
    t.match(find('attempt failed'), [{ level: 40, ...place, attempt: 1, err: { message: 'not yet' } }])
    await until(() => find('dead letter').length === 1)
    t.match(find('dead letter'), [
      { level: 40, ...place, stage: 'handle', disposition: 'non_retriable', attempts: 2, error: 'NonRetriableError' }
    ])
    const commits = find('committed') as {
      partitions: { from: string; to: string }[]
      messages: number
      deadLetters: number
    }[]
    t.equal(commits[0]?.partitions[0]?.from, '0')
    t.equal(commits.at(-1)?.partitions[0]?.to, '3')
    t.equal(
      commits.reduce((sum, { messages }) => sum + messages, 0),
      2
    )
    t.equal(
      commits.reduce((sum, { deadLetters }) => sum + deadLetters, 0),
      1
    )
  })
}

t.test('writes no line a transaction where debug is off', async t => {
  const { log, find } = collect('info')
  const rig = await createTestAttachment(
    t,
    { ...defineTestFunction({ event }), kind: 'inbox' },
    { database, bounds, log }
  )
  rig.attachment.start()
  rig.kafka.assign(0)
  await until(() => rig.kafka.calls.length === 1)

  await rig.kafka.deliver(batch(0, [fetched(0)]))
  await until(async () => (await rig.position())?.next === 1)

  t.strictSame(find('committed'), [])
})
