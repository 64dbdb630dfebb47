import t from 'tap'
import type { NewDeadLetter } from '../../db/queries/dead-letter-writes.ts'
import { MAX_MESSAGE_BYTES } from '../../kafka/topic-drift.ts'
import { toDeadLetter } from '../../runner/dead-letter.ts'
import { DLQ_HEADERS } from '../../runner/dead-letter-headers.ts'
import { type MirrorPlace, toMirrorEntry, toMirrorTopic } from '../../runner/mirror.ts'
import { identified, idOf, PLACE, TIME_MS } from './_support/records.ts'

const place: MirrorPlace = { ...PLACE, kafkaTopic: 'p.orders', mirrorTopic: 'dlq.smg.orders.orders' }
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

function letterOf(
  record: Partial<Parameters<typeof identified>[2]> & { value?: Buffer | null } = {},
  error: Error = new Error('no')
): NewDeadLetter {
  const { value = Buffer.from('{}'), ...rest } = record
  return toDeadLetter(
    identified(7, value, { partition: 2, ...rest }),
    { kind: 'dead', stage: 'handle', disposition: 'attempts_exhausted', attempts: 3, error },
    TIME_MS + 5
  )
}

function textsOf({ headers }: { headers: ReturnType<typeof toMirrorEntry>['headers'] }) {
  return Object.fromEntries(headers.map(([name, value]) => [name, String(Buffer.from(value ?? '', 'base64'))]))
}

/** The size of a message, counted by hand: batch, record, and two lengths a header. */
function sizeOf({ key, value, headers }: ReturnType<typeof toMirrorEntry>): number {
  const bytes = (base64: string | null) => Buffer.from(base64 ?? '', 'base64').length
  return headers.reduce((sum, [name, header]) => sum + 8 + name.length + bytes(header), 90 + bytes(key) + bytes(value))
}

t.test('copies a record as it is, with the reason behind its headers', async t => {
  const headers = [
    ['b', everyByte],
    ['a', null],
    ['b', Buffer.alloc(0)]
  ] as const
  const error = Object.assign(new Error('gone'), { name: 'TypeError', stack: 'at x' })

  const entry = toMirrorEntry(place, letterOf({ key: everyByte, value: everyByte, headers }, error))

  t.match(entry, { topic: 'dlq.smg.orders.orders', partition: 2, eventId: idOf(7) })
  t.equal(entry.key, everyByte.toString('base64'))
  t.equal(entry.value, everyByte.toString('base64'))
  t.equal(entry.timestamp, new Date(TIME_MS).toISOString())
  t.strictSame(entry.headers.slice(0, 3), [
    ['b', everyByte.toString('base64')],
    ['a', null],
    ['b', '']
  ])
  t.strictSame(textsOf({ headers: entry.headers.slice(3) }), {
    '__dlq.errors.topic': 'p.orders',
    '__dlq.errors.partition': '2',
    '__dlq.errors.offset': '7',
    '__dlq.errors.group': 'smg.orders',
    '__dlq.errors.delivery.count': '3',
    '__dlq.errors.message': 'gone',
    '__dlq.errors.exception.class': 'TypeError',
    '__dlq.errors.stacktrace': 'at x',
    '__dlq.errors.stage': 'handle',
    '__dlq.errors.disposition': 'attempts_exhausted',
    '__dlq.errors.failed.at': new Date(TIME_MS + 5).toISOString(),
    '__dlq.errors.function': 'orders',
    '__dlq.errors.id': idOf(7)
  })
})

t.test('a tombstone stays a tombstone, and empty stays empty', async t => {
  t.match(toMirrorEntry(place, letterOf({ value: null, key: null })), { key: null, value: null })
  t.match(toMirrorEntry(place, letterOf({ value: Buffer.alloc(0), key: Buffer.alloc(0) })), { key: '', value: '' })
})

t.test('headers do not grow over 20 failures, and the first coordinates stay', async t => {
  let headers: NewDeadLetter['headers'] = [['own', 'eA==']]
  let first: ReturnType<typeof toMirrorEntry> | undefined

  for (let round = 0; round < 20; round += 1) {
    const letter = { ...letterOf({}, new Error(`round ${round}`)), headers, offset: String(100 + round) }
    const entry = toMirrorEntry({ ...place, kafkaTopic: round === 0 ? 'p.orders' : 'elsewhere' }, letter)
    first ??= entry
    headers = entry.headers
    t.strictSame(
      headers.map(([name]) => name),
      first.headers.map(([name]) => name)
    )
    t.match(textsOf({ headers }), {
      [DLQ_HEADERS.topic]: 'p.orders',
      [DLQ_HEADERS.offset]: '100',
      [DLQ_HEADERS.message]: `round ${round}`
    })
  }
})

t.test('coordinates that make no sense are replaced', async t => {
  const headers = [
    [DLQ_HEADERS.topic, Buffer.from('first')],
    [DLQ_HEADERS.partition, Buffer.from('-1')],
    [DLQ_HEADERS.offset, Buffer.from('9')]
  ] as const

  t.match(textsOf(toMirrorEntry(place, letterOf({ headers }))), {
    [DLQ_HEADERS.topic]: 'p.orders',
    [DLQ_HEADERS.offset]: '7'
  })
})

const long = Object.assign(new Error('€'.repeat(5_000)), { stack: 's'.repeat(20_000) })
const sizes = [
  { when: 'there is room', bytes: 900_000, isWhole: true, stack: 8_192, message: 1_024 },
  {
    when: 'there is room for half the stack',
    bytes: MAX_MESSAGE_BYTES - 8_192,
    isWhole: true,
    stack: 5_000,
    message: 1_024
  },
  {
    when: 'there is room for half the message',
    bytes: MAX_MESSAGE_BYTES - 2_400,
    isWhole: true,
    stack: 0,
    message: 700
  },
  {
    when: 'there is no room for the value',
    bytes: MAX_MESSAGE_BYTES - 500,
    isWhole: false,
    stack: 8_192,
    message: 1_024
  }
]
for (const { when, bytes, isWhole, stack, message } of sizes) {
  t.test(`cuts the stack, then the message, then the value, and never a part of it, when ${when}`, async t => {
    const letter = letterOf({ value: Buffer.alloc(bytes, 1) }, long)

    const entry = toMirrorEntry(place, letter)
    const texts = textsOf(entry)

    t.ok(sizeOf(entry) <= MAX_MESSAGE_BYTES)
    t.equal(entry.value, isWhole ? letter.value : null)
    t.equal(texts[DLQ_HEADERS.truncated], isWhole ? undefined : 'value')
    const [stackLength, messageLength] = [
      texts[DLQ_HEADERS.stack]?.length ?? 0,
      texts[DLQ_HEADERS.message]?.length ?? 0
    ]
    t.ok(stackLength <= stack && stackLength >= stack * 0.4, `the stack has ${stackLength}`)
    t.ok(messageLength <= message && messageLength >= message * 0.4, `the message has ${messageLength}`)
    t.notMatch(texts[DLQ_HEADERS.message], /\ufffd/)
  })
}

t.test("counts the record's own headers and its key", async t => {
  const headers = [['own', Buffer.alloc(100_000)]] as const
  const key = Buffer.alloc(100_000)
  const entry = toMirrorEntry(place, letterOf({ key, headers, value: Buffer.alloc(MAX_MESSAGE_BYTES - 200_100) }))

  t.ok(sizeOf(entry) <= MAX_MESSAGE_BYTES)
  t.match(entry, { key: key.toString('base64'), value: null })
  t.equal(entry.headers[0]?.[1], headers[0][1].toString('base64'))
})

t.test('names the topic after group and topic, and shortens what Kafka would refuse', async t => {
  const asIs = (topic: string) => topic
  const prefixed = (topic: string) => `${'p'.repeat(40)}${topic}`
  const long = { groupId: `smg.${'g'.repeat(100)}`, topic: 't'.repeat(100) }

  t.equal(toMirrorTopic(PLACE, asIs), 'dlq.smg.orders.orders')
  t.equal(prefixed(toMirrorTopic({ ...long, groupId: `x${long.groupId}` }, prefixed)).length, 249)
  t.not(
    toMirrorTopic(long, prefixed),
    toMirrorTopic({ ...long, topic: `${'t'.repeat(99)}u` }, prefixed),
    'and no two are the same'
  )
})
