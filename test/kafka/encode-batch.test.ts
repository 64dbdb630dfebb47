import { createRequire } from 'node:module'
import t from 'tap'
import { crc32c } from '../../kafka/crc32c.ts'
import type { EncodableRecord } from '../../kafka/encode-batch.ts'
import { encodeProduce, frameRequest, type ProduceRequest } from '../../kafka/encode-produce.ts'
import { listHeaders } from '../../kafka/list-headers.ts'

interface StockRequest {
  readonly apiKey: number
  readonly apiVersion: number
  encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
}

const require = createRequire(import.meta.url)
// Before all else, as in production: stock records would know no list of headers.
listHeaders(require)
const toStockRequest: (request: object) => StockRequest = require('kafkajs/src/protocol/requests/produce/v7/request')
const frameStock: typeof frameRequest = require('kafkajs/src/protocol/request')
const crcOfStock: (bytes: Buffer) => number = require('kafkajs/src/protocol/recordBatch/crc32C')
const { lookupCodec } = require('kafkajs/src/protocol/message/compression')

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

/** Gives numbers from 0 to 1 that are the same in every run. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function toRequest(partitions: ProduceRequest['topicData'][number]['partitions'], more: object = {}): ProduceRequest {
  return { acks: -1, timeout: 2_500, topicData: [{ topic: 'user-activities', partitions }], ...more }
}

function one(messages: readonly EncodableRecord[], more: object = {}): ProduceRequest {
  return toRequest([{ partition: 3, messages }], more)
}

async function both(request: ProduceRequest) {
  const { compression = 0 } = request
  const ours = await encodeProduce(request, compression === 0 ? null : lookupCodec(compression))
  const theirs = await toStockRequest(request).encode()
  return [ours.buffer.toString('hex'), theirs.buffer.toString('hex')] as const
}

const timestamp = String(NOW)
const value = Buffer.from('{"a":1}')
const cases: Record<string, readonly EncodableRecord[]> = {
  'one record': [{ key: Buffer.from('k'), value, headers: { id: '7' }, timestamp }],
  'nothing but null': [{ key: null, value: null, headers: {}, timestamp }],
  'no headers': [{ key: null, value, timestamp }],
  'empty bytes': [{ key: Buffer.alloc(0), value: Buffer.alloc(0), headers: { '': '' }, timestamp }],
  texts: [{ key: 'ключ', value: 'ü', headers: { größe: '🙂'.repeat(40), lone: '\ud800' }, timestamp }],
  'a header of many values': [{ value, headers: { many: ['a', Buffer.from('b'), ''], none: [] }, timestamp }],
  'a list of headers': [
    {
      key: null,
      value: null,
      headers: [
        ['id', Buffer.from('1')],
        ['id', null],
        ['__proto__', Buffer.alloc(0)]
      ],
      timestamp
    }
  ],
  'an empty list of headers': [{ value, headers: [], timestamp }],
  'times that go back': [NOW + 5, NOW, NOW + 900_000_000, NOW + 8e12].map(time => ({ value, timestamp: String(time) })),
  'lengths at which a length gets longer': [0, 40, 63, 64, 100, 8_100, 8_191, 8_192, 1_048_570, 1_048_576].map(
    size => ({
      key: Buffer.alloc(size % 70),
      value: Buffer.alloc(size, size),
      headers: { id: 'x'.repeat(size % 129) },
      timestamp
    })
  )
}

for (const [when, messages] of Object.entries(cases)) {
  t.test(`encodes ${when} as KafkaJS does`, async t => {
    for (const compression of [0, 1]) {
      const [ours, theirs] = await both(one(messages, { compression }))
      t.equal(ours, theirs, `codec ${compression}`)
    }
  })
}

t.test('encodes whatever comes as KafkaJS does', async t => {
  const random = createRandom(7)
  const below = (limit: number) => Math.floor(random() * limit)
  const bytes = (limit: number) => Buffer.from(Array.from({ length: below(limit) }, () => below(256)))
  const text = (limit: number) => {
    return String.fromCodePoint(...Array.from({ length: below(limit) }, () => below(random() < 0.8 ? 128 : 0x2000)))
  }
  const maybe = (limit: number) => (random() < 0.2 ? null : bytes(limit))
  const makeHeaders = () => {
    if (random() < 0.4) return Array.from({ length: below(5) }, () => [text(20), maybe(40)] as const)
    return Object.fromEntries(Array.from({ length: below(5) }, () => [text(20), random() < 0.5 ? text(90) : bytes(90)]))
  }
  const makeRecord = () => ({
    key: maybe(40),
    value: maybe(random() < 0.1 ? 9_000 : 300),
    headers: makeHeaders(),
    timestamp: String(NOW + below(random() < 0.1 ? 1e11 : 100))
  })

  for (let round = 0; round < 300; round += 1) {
    const partitions = Array.from({ length: 1 + below(3) }, (_, partition) => ({
      partition: partition * 5,
      messages: Array.from({ length: 1 + below(40) }, makeRecord)
    }))
    const [ours, theirs] = await both(toRequest(partitions, { compression: round % 3 === 0 ? 1 : 0 }))
    if (ours !== theirs) return t.equal(ours, theirs, `round ${round}`)
  }
  t.pass('300 requests')
})

t.test('encodes several topics, and the numbers of a producer, as KafkaJS does', async t => {
  const Long: { fromValue(value: string): object } = require('kafkajs/src/utils/long')
  const partitions = [{ partition: 0, firstSequence: 12, messages: cases['one record'] ?? [] }]
  const topicData = ['a', 'größe', 'c'].map(topic => ({ topic, partitions }))
  const producer = { producerId: Long.fromValue('8589934597'), producerEpoch: 3 }

  for (const more of [{}, { topicData }, producer, { acks: 1, timeout: 30_000 }]) {
    const [ours, theirs] = await both(one(cases['one record'] ?? [], more))
    t.equal(ours, theirs)
  }
})

t.test('gives records without a time that of now', async t => {
  const before = Date.now()
  const { buffer } = await encodeProduce(one([{ value }]), null)

  const firstTimestampAt = 12 + 2 + 'user-activities'.length + 4 + 8 + 27
  const time = Number(buffer.readBigInt64BE(firstTimestampAt))
  t.ok(time >= before && time <= Date.now())
})

t.test('frames a request as KafkaJS does', async t => {
  const request = toStockRequest(one(cases['one record'] ?? []))

  for (const clientId of ['smg-gateway', 'größe', '', null]) {
    const framing = { correlationId: 2_147_483_647, clientId, request }
    t.equal((await frameRequest(framing)).buffer.toString('hex'), (await frameStock(framing)).buffer.toString('hex'))
  }
})

t.test('computes the checksum that KafkaJS computes', async t => {
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283, 'the check value of the catalogues')
  const random = createRandom(3)
  for (let length = 0; length < 70; length += 1) {
    const bytes = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)))
    if (crc32c(bytes) !== crcOfStock(bytes)) return t.fail(`${length} bytes`)
  }
})
