import { join } from 'node:path'
import { getTableColumns } from 'drizzle-orm'
import { testFunction } from 'smg-kafka/testing'
import t from 'tap'
import { loadFunctions } from '../sdk/load-functions.ts'

const AT = '2026-01-31T12:00:00.000Z'
const OCCURRED = '2026-01-30T23:59:59.5+09:00'
const text = (length: number) => 'x'.repeat(length)

// Each with its least and its whole event, the rows they give, its key, and what it refuses.
const shipped = [
  {
    topic: 'user-activities',
    least: { userId: 'u', action: 'login' },
    row: { userId: 'u', action: 'login', metadata: {} },
    rest: { metadata: { a: [1, { b: null }] } },
    key: 'u',
    bad: [
      { userId: '' },
      { userId: text(129) },
      { action: '' },
      { action: text(65) },
      { metadata: [] },
      { metadata: null }
    ]
  },
  {
    topic: 'system-metrics',
    least: { source: 'web-1', name: 'cpu.usage', value: 0 },
    row: { source: 'web-1', name: 'cpu.usage', value: 0, unit: undefined, labels: {} },
    rest: { unit: 'ratio', labels: { cpu: '0' } },
    key: 'web-1',
    bad: [{ source: '' }, { name: text(129) }, { value: '1' }, { value: null }, { unit: '' }, { labels: 'a' }]
  },
  {
    topic: 'error-logs',
    least: { service: 'checkout', level: 'fatal', message: 'card declined' },
    row: { service: 'checkout', level: 'fatal', message: 'card declined', stack: undefined, context: {} },
    rest: { stack: 'at x', context: { order: 7 } },
    key: 'checkout',
    bad: [
      { level: 'info' },
      { level: 'ERROR' },
      { message: '' },
      { message: text(8_193) },
      { stack: text(65_537) },
      { service: 7 }
    ]
  },
  {
    topic: 'notifications',
    least: { recipient: 'ops@example.com', channel: 'webhook', message: 'full' },
    row: { recipient: 'ops@example.com', channel: 'webhook', title: undefined, message: 'full', metadata: {} },
    rest: { title: '', metadata: { a: 1 } },
    key: 'ops@example.com',
    bad: [
      { recipient: '' },
      { recipient: text(257) },
      { channel: 'fax' },
      { title: text(257) },
      { message: '' },
      { metadata: [] }
    ]
  }
]

const folder = join(import.meta.dirname, '..', 'functions')
const functions = await loadFunctions(folder, { retentionHours: 1 })

t.test('these functions ship', async t => {
  t.strictSame(new Set(functions.keys()), new Set(shipped.map(({ topic }) => topic)))
})

for (const { topic, least, row, rest, key, bad } of shipped) {
  t.test(topic, async t => {
    const { default: definition } = await import(join(folder, `${topic}.ts`))
    const run = (event: unknown) => testFunction(definition, { event, timestamp: AT }, { topic })

    t.test('gives the same row for the same event, with the time of the record', async t => {
      const [first, second] = [await run(least), await run(least)]

      t.strictSame(first.rows, [{ ...row, occurredAt: AT }])
      t.strictSame(second.rows, first.rows)
      t.match(first, { outcome: 'settled', attempts: 1, published: [] })
    })

    t.test('takes the time of the event before that of the record, and all else it may hold', async t => {
      const { rows } = await run({ ...least, ...rest, timestamp: OCCURRED })

      t.strictSame(rows, [{ ...row, ...rest, occurredAt: OCCURRED }])
    })

    t.test('fills every column of its table but the runner’s', async t => {
      const { rows } = await run(least)
      const columns = Object.keys(getTableColumns(functions.get(topic)?.table as never))

      t.strictSame(new Set([...Object.keys(rows[0] ?? {}), 'id', 'receivedAt']), new Set(columns))
    })

    t.test('orders its events by key', async t => t.equal(functions.get(topic)?.key(least), key))

    const missing = Object.keys(least).map(name => ({ ...least, [name]: undefined }))
    const wrong = [{ stranger: 1 }, { id: 'x' }, { timestamp: 'yesterday' }, { timestamp: 1 }, ...bad]
    for (const event of [...missing, ...wrong.map(members => ({ ...least, ...members })), [], 'text', null]) {
      t.test(`refuses ${JSON.stringify(event)?.slice(0, 100)}`, async t => {
        t.match(await run(event), { outcome: 'dead', stage: 'validate', disposition: 'validation_failed', rows: [] })
      })
    }
  })
}
