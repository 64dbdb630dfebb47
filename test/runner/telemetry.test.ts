import { Counter, Gauge, Registry } from 'prom-client'
import t from 'tap'
import { partitionOf } from '../../kafka/murmur2.ts'
import type { OutgoingRecord } from '../../kafka/types.ts'
import { findStatedId } from '../../runner/identify.ts'
import { createEventSender, createRunnerReader } from '../../runner/telemetry.ts'
import { isEventId } from '../../sdk/event-id.ts'
import { loadFunctions } from '../../sdk/load-functions.ts'

const functions = await loadFunctions(new URL('../../functions', import.meta.url).pathname, { retentionHours: 1 })

t.test('sends events as the gateway does: with an id of their own, to the partition of their key', async t => {
  const appended: { topic: string; records: readonly OutgoingRecord[]; signal?: AbortSignal | undefined }[] = []
  const send = createEventSender(
    {
      partitionCount: () => 3,
      async append(topic, records, { signal }) {
        appended.push({ topic, records, signal })
        return []
      }
    },
    () => 1_700_000_000_000
  )
  const { signal } = new AbortController()
  const events = [1, 2].map(value => ({ source: 'runner@web-1:3001', name: 'cpu', value }))

  await send(functions.get('system-metrics') as never, events, signal)

  t.match(appended, [{ topic: 'system-metrics', signal }])
  const records = appended[0]?.records ?? []
  t.strictSame(
    records.map(({ value }) => JSON.parse(String(value))),
    events
  )
  const key = Buffer.from('runner@web-1:3001')
  for (const { partition, key: own, headers, timestampMs } of records) {
    t.strictSame([partition, own, timestampMs], [partitionOf(key, 3), key, 1_700_000_000_000])
    const list = Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)] as const)
    const id = findStatedId({ headers: list }, 'system-metrics')
    t.ok(id !== null && isEventId(id), 'the runner takes its id')
  }
  t.equal(new Set(records.map(({ headers }) => headers.id)).size, 2)
})

t.test('reads rates since the last reading, and the lag of what the runner owns', async t => {
  const registry = new Registry()
  const options = { help: '-', registers: [registry] }
  const settled = new Counter({ ...options, name: 'smg_records_settled_total', labelNames: ['topic'] })
  new Gauge({ ...options, name: 'smg_outbox_waiting' }).set(4)
  let nowMs = 0
  const read = createRunnerReader({
    attachments: [
      {
        topic: 'orders',
        lag: () =>
          new Map([
            [0, 5],
            [2, 6]
          ])
      },
      { topic: 'payments', lag: () => new Map() }
    ],
    registry,
    steadyMs: () => nowMs
  })
  settled.inc({ topic: 'orders' }, 100)
  settled.inc({ topic: 'payments' }, 20)
  nowMs = 10_000
  const first = await read()
  nowMs = 12_000
  settled.inc({ topic: 'orders' }, 10)

  const second = await read()

  t.strictSame(first, [
    { name: 'records.settled.rate', value: 12, unit: 'per second' },
    { name: 'dead-letters.rate', value: 0, unit: 'per second' },
    { name: 'outbox.waiting', value: 4, unit: 'records' },
    { name: 'function.lag', value: 11, unit: 'records', labels: { topic: 'orders' } }
  ])
  t.equal(second[0]?.value, 5)
})
