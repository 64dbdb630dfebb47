import t from 'tap'
import { textOfValue, toHeaders, toText } from '../../sdk/record.ts'
import { isNonRetriable, NonRetriableError, RetryAfterError, retryAfterMs } from '../../sdk/thrown.ts'
import { toRows } from '../../sdk/to-rows.ts'

const bytes = [
  { when: 'is null', given: null, text: null },
  { when: 'is empty', given: Buffer.alloc(0), text: '' },
  { when: 'is UTF-8', given: Buffer.from('ü😀'), text: 'ü😀' },
  { when: 'holds U+FFFD itself', given: Buffer.from('\ufffd'), text: '\ufffd' },
  { when: 'is no UTF-8', given: Buffer.from([255, 0]), text: 'base64:/wA=' },
  { when: 'holds both', given: Buffer.from([0xef, 0xbf, 0xbd, 0xff]), text: 'base64:77+9/w==' },
  { when: 'holds U+0000', given: Buffer.from('a\u0000'), text: 'base64:YQA=' },
  { when: 'is half of a surrogate pair', given: Buffer.from([0xed, 0xa0, 0x80]), text: 'base64:7aCA' }
]
for (const { when, given, text } of bytes) {
  t.test(`gives ${text} for what ${when}`, async t => t.equal(toText(given), text))
}

t.test('gives the text of each value, however often and in whatever order it is asked for', async t => {
  const values = [
    '{"n":1}',
    '{"n":2}',
    '',
    '"ü😀"',
    JSON.stringify('x'.repeat(70_000)),
    JSON.stringify('y'.repeat(70_000))
  ]
  const given = values.map(text => Buffer.from(text))

  for (const buffers of [given, given, given.toReversed()]) {
    for (const value of buffers) {
      t.equal(textOfValue(value), value.toString())
      t.equal(textOfValue(value), value.toString(), 'once more')
    }
  }
})

t.test('gives headers by name, lists where a name comes twice', async t => {
  const headers = toHeaders([
    ['id', Buffer.from('x')],
    ['empty', null],
    ['twice', Buffer.from('1')],
    ['twice', Buffer.from([255])],
    ['twice', null],
    ['ID', Buffer.from('X')]
  ])

  t.strictSame({ ...headers }, { id: 'x', empty: '', twice: ['1', 'base64:/w==', ''], ID: 'X' })
})

t.test('gives headers that are named as members of every object', async t => {
  const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty', '']
  const once = names.map(name => [name, Buffer.from('a')] as const)

  const headers = toHeaders([...once, ...once])

  t.strictSame(Object.keys(headers).toSorted(), names.toSorted())
  for (const name of names) t.strictSame(headers[name], ['a', 'a'], name)
  t.strictSame(JSON.parse(JSON.stringify(headers)).constructor, ['a', 'a'])
  t.match(JSON.stringify(headers), '"__proto__":["a","a"]')
  t.equal(toHeaders([]).constructor, undefined)
})

t.test('knows what a function gave up, also by another copy of the class', async t => {
  const foreign = { [Symbol.for('smg-kafka.non-retriable')]: true }

  t.ok(isNonRetriable(new NonRetriableError('no')))
  t.ok(isNonRetriable(foreign))
  for (const other of [new Error('NonRetriableError'), 'no', null, undefined, {}]) t.notOk(isNonRetriable(other))
  t.match(new NonRetriableError('no', { cause: 'why' }), { name: 'NonRetriableError', message: 'no', cause: 'why' })
})

const waits: { thrown: unknown; ms: number | null }[] = [
  { thrown: new RetryAfterError(250), ms: 250 },
  { thrown: new RetryAfterError(0), ms: 0 },
  { thrown: new RetryAfterError(-1), ms: null },
  { thrown: new RetryAfterError(Number.NaN), ms: null },
  { thrown: new RetryAfterError(Number.POSITIVE_INFINITY), ms: null },
  { thrown: new RetryAfterError(2 ** 40), ms: 2 ** 31 - 1 },
  { thrown: { [Symbol.for('smg-kafka.retry-after')]: '70' }, ms: 70 },
  { thrown: new Error('no'), ms: null },
  { thrown: 'no', ms: null },
  { thrown: undefined, ms: null },
  { thrown: null, ms: null }
]
for (const { thrown, ms } of waits) {
  t.test(`${String(thrown)} asks for ${ms === null ? 'no wait' : `${ms} ms`}`, async t => {
    t.equal(retryAfterMs(thrown), ms)
  })
}

t.test('a wish to wait says how long, unless it says something else', async t => {
  t.match(new RetryAfterError(250), { name: 'RetryAfterError', message: 'try again after 250 ms' })
  t.match(new RetryAfterError(250, 'busy', { cause: 'why' }), { message: 'busy', cause: 'why' })
})

const effects = [
  { effect: undefined, rows: [] },
  { effect: null, rows: [] },
  { effect: [], rows: [] },
  { effect: { a: 1 }, rows: [{ a: 1 }] },
  { effect: [{ a: 1 }, { a: 2 }], rows: [{ a: 1 }, { a: 2 }] }
]
for (const { effect, rows } of effects) {
  t.test(`${JSON.stringify(effect)} is ${rows.length} rows`, async t => t.strictSame(toRows(effect), rows))
}

const noRows = [
  { effect: 'a', what: 'string' },
  { effect: 7, what: 'number' },
  { effect: true, what: 'boolean' },
  { effect: [{}, null], what: 'null' },
  { effect: [undefined], what: 'undefined' },
  { effect: [[{}]], what: 'a list inside a list' }
]
for (const { effect, what } of noRows) {
  t.test(`${JSON.stringify(effect)} is no row`, async t => {
    const message = `The function gave ${what}, and not a row, a list of rows or nothing`

    t.throws(() => toRows(effect), { code: 'SMG_SDK_BAD_ROW', message })
  })
}
