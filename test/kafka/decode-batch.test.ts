import { createRequire } from 'node:module'
import t from 'tap'
import { toRecord } from '../../kafka/consumer.ts'
import { DecodedRecord, decodeBatch } from '../../kafka/decode-batch.ts'
import type { FetchedRecord, HeaderList } from '../../kafka/types.ts'

interface StockRecord {
  readonly isControlRecord: boolean
  readonly batchContext: { inTransaction: boolean; producerId: string; isControlBatch: boolean }
}
interface StockDecoder {
  offset: number
}
type Decode = (decoder: StockDecoder) => Promise<{ records: StockRecord[] }>
interface Encoder {
  readonly buffer: Buffer
}

const require = createRequire(import.meta.url)
const Decoder: new (
  bytes: Buffer
) => StockDecoder & Parameters<typeof decodeBatch>[0] = require('kafkajs/src/protocol/decoder')
const decodeStock: Decode = require('kafkajs/src/protocol/recordBatch/v0/decoder')
const encodeRecord: (record: object) => Encoder = require('kafkajs/src/protocol/recordBatch/record/v0')
const {
  RecordBatch
}: { RecordBatch: (batch: object) => Promise<Encoder> } = require('kafkajs/src/protocol/recordBatch/v0')
const { lookupCodecByAttributes } = require('kafkajs/src/protocol/message/compression')

const ATTRIBUTES_AT = 21
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

function decode(bytes: Buffer, decoder = new Decoder(bytes)) {
  return decodeBatch(decoder, lookupCodecByAttributes, message => new Error(message))
}

async function encodeBatch(records: readonly object[], options: object = {}, attributes = 0): Promise<Buffer> {
  const encoded = await RecordBatch({
    firstTimestamp: NOW,
    maxTimestamp: NOW + 5,
    records: records.map(encodeRecord),
    ...options
  })
  const bytes = Buffer.from(encoded.buffer)
  bytes.writeInt16BE(bytes.readInt16BE(ATTRIBUTES_AT) | attributes, ATTRIBUTES_AT)
  return bytes
}

const sample = (index: number) => ({
  offsetDelta: index,
  timestampDelta: (index * 37) % 1_000,
  key: index % 7 === 0 ? null : Buffer.from(`key-${index}`),
  value: index % 5 === 0 ? null : Buffer.from(JSON.stringify({ index, text: 'ü'.repeat(index % 300) })),
  headers:
    index % 3 === 0
      ? {}
      : {
          id: Buffer.from(`id-${index}`),
          'content-type': Buffer.from('application/json'),
          many: [Buffer.from('a'), Buffer.from(`${index % 2}`)]
        }
})

/** What of a record everybody may rely on. */
function toPlain({ offset, timestampMs, key, value, headers }: FetchedRecord) {
  return {
    offset,
    timestampMs,
    key,
    value,
    headers: headers.map(([name, bytes]) => [name, bytes && Buffer.from(bytes)])
  }
}

t.test('decodes what KafkaJS decodes', async t => {
  const many = Array.from({ length: 300 }, (_, index) => sample(index))
  const cases = {
    'many records': await encodeBatch(many),
    gzip: await encodeBatch(many, { compression: 1 }),
    'a high offset': await encodeBatch(many, { firstOffset: '9223372036854770000' }),
    'an offset beyond 2^53 with its last record': await encodeBatch(many, {
      firstOffset: String(Number.MAX_SAFE_INTEGER)
    }),
    'a transaction': await encodeBatch(many.slice(0, 3), { transactional: true, producerId: '4611686018427387905' }),
    'control records': await encodeBatch(many.slice(0, 2), {}, 0x20),
    'stamped by the log': await encodeBatch(many, {}, 0x08),
    'stamped before 1970': await encodeBatch(many, { firstTimestamp: -5_000 }),
    'time that runs backwards': await encodeBatch(
      [1, 2].map(index => ({ ...sample(index), timestampDelta: -index * 1e6 }))
    )
  }
  for (const [name, bytes] of Object.entries(cases)) {
    const stock = await decodeStock(new Decoder(bytes))
    const decoder = new Decoder(bytes)
    const { records } = await decode(bytes, decoder)

    t.equal(decoder.offset, bytes.length, `${name}: goes on behind it`)
    t.strictSame(
      records.map(toPlain),
      stock.records.map(record => toPlain(toRecord(record as never))),
      name
    )
    t.strictSame(
      records.map(({ isControlRecord, batchContext: { inTransaction, producerId } }) => ({
        isControlRecord,
        inTransaction,
        producerId
      })),
      stock.records.map(({ isControlRecord, batchContext: { inTransaction, producerId } }) => ({
        isControlRecord,
        inTransaction,
        producerId
      })),
      `${name}: what it is part of`
    )
    t.ok(
      records.every(record => toRecord(record as never) === record),
      `${name}: made once`
    )
  }
})

t.test('reads timestamps in microseconds and nanoseconds', async t => {
  for (const delta of [
    2 ** 47,
    2 ** 48,
    2 ** 49,
    2 ** 52,
    1_795_749_761_120_402_200,
    -(2 ** 50),
    -1_795_749_761_120_402_200
  ]) {
    const bytes = await encodeBatch([{ timestampDelta: delta, key: null, value: null }], { firstTimestamp: 0 })
    const { records } = await decode(bytes)
    t.equal(records[0]?.timestampMs, delta)
  }
})

t.test('a time beyond what a number holds is rounded once, whatever its batch', async t => {
  const exact = 1_795_749_761_120_402_233n
  const times = await Promise.all(
    [0, 100, 1_000_033, 2 ** 50 + 1].map(async delta => {
      const bytes = await encodeBatch([{ timestampDelta: delta, key: null, value: null }], {
        firstTimestamp: String(exact - BigInt(delta))
      })
      return (await decode(bytes)).records[0]?.timestampMs
    })
  )
  t.strictSame(
    times,
    times.map(() => Number(exact))
  )
})

t.test('keeps headers in their order, whatever their names', async t => {
  // By hand: KafkaJS's encoder takes an object.
  const text = (value: string) => Buffer.concat([Buffer.from([value.length << 1]), Buffer.from(value)])
  const toBytes = (headers: readonly (readonly [string, string | null])[]) => {
    const body = Buffer.concat([
      Buffer.from([0, 0, 0, 1, 1, headers.length << 1]),
      ...headers.flatMap(([name, value]) => [text(name), value === null ? Buffer.from([1]) : text(value)])
    ])
    return Buffer.concat([Buffer.from([body.length << 1]), body])
  }
  const lists = [
    [
      ['b', '1'],
      ['a', '1'],
      ['b', '2'],
      ['constructor', 'x'],
      ['__proto__', null]
    ],
    [
      ['b', '1'],
      ['a', null],
      ['b', '2'],
      ['constructor', 'y'],
      ['__proto__', '']
    ],
    [
      ['a', '1'],
      ['b', '1']
    ]
  ] as const
  const empty = await encodeBatch([])
  const bytes = Buffer.concat([empty, ...lists.map(toBytes)])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(lists.length, 57)

  const { records } = await decode(bytes)
  const toTexts = (headers: HeaderList) => headers.map(([name, value]) => [name, value && String(value)])
  t.strictSame(
    records.map(({ headers }) => toTexts(headers)),
    lists
  )
  t.equal(records[1]?.headers[0], records[0]?.headers[0], 'what is the same is there once')
})

t.test('a name that is not UTF-8 is no other name', async t => {
  const empty = await encodeBatch([])
  const toBytes = (name: readonly number[]) => {
    const body = [0, 0, 0, 1, 1, 2, name.length << 1, ...name, 2, 0x61]
    return Buffer.from([body.length << 1, ...body])
  }
  const bytes = Buffer.concat([empty, toBytes([0xc3, 0x83]), toBytes([0xc3])])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(2, 57)
  const { records } = await decode(bytes)
  t.strictSame(
    records.map(({ headers }) => headers[0]?.[0]),
    ['\u00c3', '\ufffd']
  )
})

t.test('a record of its own keeps no answer', async t => {
  const bytes = await encodeBatch([sample(1)])
  const { records } = await decode(bytes)
  const before = String(records[0]?.value)
  bytes.fill(0)
  t.equal(String(records[0]?.value), before)
  t.ok(records[0] instanceof DecodedRecord)
})

t.test('refuses what is cut short or damaged', async t => {
  const bytes = await encodeBatch([sample(1), sample(2)])
  await t.rejects(decode(bytes.subarray(0, -1)), { message: /of 228 bytes/ })

  const damaged = Buffer.from(bytes)
  // The first record says that it is longer, and the last one that its value is.
  damaged[61] = (damaged[61] as number) + 2
  await t.rejects(decode(damaged), /damaged|ends within/)
  const short = Buffer.from(bytes)
  short.writeInt32BE(-12, 8)
  await t.rejects(decode(short), /-12 bytes/)
  const more = Buffer.from(bytes)
  more.writeInt32BE(3, 57)
  await t.rejects(decode(more))
  more.writeInt32BE(2 ** 31 - 1, 57)
  await t.rejects(decode(more), /ends within/)
})

t.test('refuses a record that has fewer headers than it says', async t => {
  const empty = await encodeBatch([])
  const toBytes = (headerCount: readonly number[], headers: readonly number[]) => {
    const body = [0, 0, 0, 1, 1, ...headerCount, ...headers]
    const bytes = Buffer.concat([empty, Buffer.from([body.length << 1, ...body])])
    bytes.writeInt32BE(bytes.length - 12, 8)
    bytes.writeInt32BE(1, 57)
    return bytes
  }

  // Two empty ones, and then one more than there is room for; and 2 ** 28, which would each be an object.
  t.equal((await decode(toBytes([4], [0, 1, 0, 1]))).records[0]?.headers.length, 2)
  await t.rejects(decode(toBytes([6], [0, 1, 0, 1])), /has 3 headers/)
  await t.rejects(decode(toBytes([0x80, 0x80, 0x80, 0x80, 0x02], [])), /has 268435456 headers/)
})

// KafkaJS decodes nothing, and asks for the same batch again.
for (const [when, attributes] of [
  ['as it is', 0],
  ['compressed', 0x01]
] as const) {
  t.test(`gives a batch of which compaction has left nothing, ${when}, as a control record at its end`, async t => {
    const LAST_DELTA_AT = 23
    const bytes = await encodeBatch([], {}, attributes)
    bytes.writeBigInt64BE(40n, 0)
    bytes.writeInt32BE(9, LAST_DELTA_AT)

    const { records } = await decode(bytes)

    t.match(records, [{ offset: '49', isControlRecord: true, key: null, value: null }])
    t.equal(records.length, 1)
  })
}
