import t from 'tap'
import { fromBase64, toBase64, toHexRows, toText } from '../../../../gateway/console/web/bytes.ts'

t.test('reads base64 as bytes, and bytes as text where they are some', async t => {
  t.strictSame(fromBase64('AP8='), Uint8Array.of(0, 255))
  t.equal(fromBase64('?'), null)
  t.equal(toText(Uint8Array.of(0xe2, 0x82, 0xac)), '€')
  t.equal(toText(Uint8Array.of(0xff)), null)
  t.equal(toText(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa', 'with its byte order mark')
  t.equal(toText(Uint8Array.of()), '')
})

t.test('writes a text as base64 of its UTF-8', async t => {
  for (const text of ['', 'a', '€ 😀', 'x'.repeat(300_000)])
    t.equal(toBase64(text), Buffer.from(text).toString('base64'))
})

t.test('shows bytes sixteen in a line, as hex and as ASCII', async t => {
  const bytes = Uint8Array.from({ length: 40 }, (_, index) => index + 0x20 - (index === 0 ? 0x20 : 0))

  const rows = toHexRows(bytes, 2)

  t.equal(rows.length, 2, 'no more than asked for')
  t.match(rows[0], { offset: '000000', hex: /^00 21 22 /, ascii: '.!"#$%&\'()*+,-./' })
  t.match(rows[1], { offset: '000010', hex: /^30 31 /, ascii: '0123456789:;<=>?' })
  t.equal(toHexRows(bytes, 10).at(-1)?.hex, '40 41 42 43 44 45 46 47')
  t.strictSame(toHexRows(Uint8Array.of(), 10), [])
})
