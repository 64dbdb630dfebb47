import t from 'tap'
import { createReader, toCompactString, toUvarint } from '../../kafka/wire.ts'

for (const { value, hex } of [
  { value: 0, hex: '00' },
  { value: 127, hex: '7f' },
  { value: 128, hex: '8001' },
  { value: 300, hex: 'ac02' },
  { value: 0xffffffff, hex: 'ffffffff0f' }
]) {
  t.test(`writes ${value} as ${hex}`, async t => {
    t.equal(toUvarint(value).toString('hex'), hex)
  })
}

t.test('reads the texts that it writes', async t => {
  const texts = ['', 'smg', 'é'.repeat(200)]
  const reader = createReader(Buffer.concat([...texts.map(toCompactString), toUvarint(0)]))

  t.strictSame(texts.map(reader.string), texts)
  t.equal(reader.string(), null)
})

t.test('steps over what a later release added', async t => {
  // One field with tag 5 and two bytes, then the number 7; twice, in an array of two.
  const item = Buffer.from('0000000701 05 02 ffff'.replaceAll(' ', ''), 'hex')
  const reader = createReader(Buffer.concat([toUvarint(3), item, item]))

  t.strictSame(
    reader.structs(() => reader.int32()),
    [7, 7]
  )
})

t.test('reads numbers of 64 bits whole', async t => {
  const reader = createReader(Buffer.from('7fffffffffffffff', 'hex'))

  t.equal(reader.int64(), 9223372036854775807n)
})
