import t from 'tap'
import { identify, idFromPlace, PRODUCER_ID } from '../../runner/identify.ts'
import { isEventId, timestampMsOf } from '../../sdk/event-id.ts'
import { fetched, idOf, TIME_MS } from './_support/records.ts'

const place = { topic: 'orders', topicId: '0b6ff7b0-0000-4000-8000-000000000001', partition: 2 }

function headers(texts: Record<string, string>) {
  return Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)] as const)
}

function idWith(texts: Record<string, string>, at: Partial<typeof place> = {}) {
  return identify(fetched(7, { n: 1 }, { headers: headers(texts) }), { ...place, ...at }).id
}

t.test('takes the id of the gateway', async t => {
  const id = idOf(1)

  t.equal(idWith({ id, 'producer-id': PRODUCER_ID }), id)
  t.equal(identify(fetched(7), place).topic, 'orders')
  t.equal(identify(fetched(7), place).partition, 2)
})

const foreign: { when: string; texts: Record<string, string> }[] = [
  { when: 'there is no producer-id', texts: { id: idOf(1) } },
  { when: 'the producer is another one', texts: { id: idOf(1), 'producer-id': 'billing' } },
  { when: 'the id is the number of an order', texts: { id: 'order-7', 'producer-id': PRODUCER_ID } },
  {
    when: 'the id is a UUID of version 4',
    texts: { id: '0b6ff7b0-8d7f-4f8b-9b0e-5f5f5f5f5f5f', 'producer-id': PRODUCER_ID }
  },
  { when: 'a member of Object.prototype is the name', texts: { constructor: idOf(1), toString: PRODUCER_ID } },
  { when: 'the id is empty', texts: { id: '', 'producer-id': PRODUCER_ID } },
  { when: 'CloudEvents gives a source alone', texts: { ce_source: '/shop' } },
  { when: 'CloudEvents gives an id alone', texts: { ce_id: '1' } }
]
for (const { when, texts } of foreign) {
  t.test(`rule 9: derives the id from the place when ${when}`, async t => {
    t.equal(idWith(texts), idFromPlace(fetched(7, { n: 1 }), place))
  })
}

t.test('a record without a value for its headers has a derived id', async t => {
  const nothing = [
    ['id', null],
    ['producer-id', null]
  ] as const
  t.equal(identify(fetched(7, { n: 1 }, { headers: nothing }), place).id, idFromPlace(fetched(7, { n: 1 }), place))
})

t.test('rule 9: derives the same id for the same record, and another for any other', async t => {
  const record = fetched(7, { n: 1 }, { key: Buffer.from('k') })
  const id = idFromPlace(record, place)
  const others = [
    idFromPlace({ ...record, offset: '8' }, place),
    idFromPlace({ ...record, timestampMs: TIME_MS + 1 }, place),
    idFromPlace({ ...record, key: null }, place),
    idFromPlace({ ...record, key: Buffer.alloc(0) }, place),
    idFromPlace({ ...record, value: Buffer.from('{"n":2}') }, place),
    idFromPlace({ ...record, value: null }, place),
    idFromPlace(record, { ...place, partition: 3 }),
    idFromPlace(record, { ...place, topicId: '0b6ff7b0-0000-4000-8000-000000000002' }),
    idFromPlace(record, { ...place, topicId: null })
  ]

  t.equal(idFromPlace({ ...record, value: Buffer.from('{"n":1}') }, { ...place }), id)
  t.equal(new Set([id, ...others]).size, others.length + 1, 'no two are the same')
  t.ok(isEventId(id))
  t.equal(timestampMsOf(id), TIME_MS, 'in time order')
})

t.test('derives an id for whatever time a record was stamped with', async t => {
  for (const timestampMs of [-1, 0, Number.NaN, 1.7e15, 1.7e18, -1e18]) {
    t.ok(isEventId(idFromPlace({ ...fetched(1), timestampMs }, place)), String(timestampMs))
  }
})

t.test('rule 9: CloudEvents names the event, wherever and however often it was produced', async t => {
  const event = { ce_source: '/shop', ce_id: '1', ce_time: '2024-05-01T10:00:00Z' }
  const id = idWith(event)

  t.equal(idWith({ ...event, ce_type: 'x' }, { partition: 0, topicId: null as never }), id)
  t.equal(timestampMsOf(id), Date.parse(event.ce_time))
  t.equal(new Set([id, idWith({ ...event, ce_id: '2' }), idWith({ ...event, ce_source: '/2' })]).size, 3)
  t.not(idWith(event, { topic: 'other' }), id, 'another topic is another event')
  t.not(idWith({ ...event, ce_time: '2024-05-01T10:00:01Z' }), id)
})

t.test('rule 9: an event of CloudEvents without a time, or with none that is one, has a constant prefix', async t => {
  const event = { ce_source: '/shop', ce_id: '1' }

  t.equal(timestampMsOf(idWith(event)), 0)
  t.equal(timestampMsOf(idWith({ ...event, ce_time: 'yesterday' })), 0)
  t.not(idWith({ ...event, ce_time: 'yesterday' }), idWith(event), 'and yet another id')
  // Without a zone it would be another time on another machine, and the record would have another id there.
  t.equal(timestampMsOf(idWith({ ...event, ce_time: '2024-05-01T10:00:00' })), 0)
})

t.test('the id of the gateway comes before that of CloudEvents', async t => {
  const id = idOf(1)
  t.equal(idWith({ ce_source: '/shop', ce_id: '1', id, 'producer-id': PRODUCER_ID }), id)
})
