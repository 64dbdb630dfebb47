import t from 'tap'
import { createLineSplitter, type Line } from '../../gateway/split-lines.ts'

/** Splits a body that comes in pieces of one size. */
function split(body: string | Buffer, { pieceBytes = 1_000_000, maxBytes = 20 } = {}): (string | null)[] {
  const bytes = Buffer.from(body)
  const splitter = createLineSplitter(maxBytes)
  const lines: Line[] = []
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    // A copy, overwritten afterwards where it was not kept: a line may not change any more.
    lines.push(...splitter.push(Buffer.from(bytes.subarray(from, from + pieceBytes))))
  }
  return [...lines, ...splitter.end()].map(line => (line === null ? null : String(line)))
}

const bodies = [
  { when: 'each line has its end', body: 'a\nb\n', lines: ['a', 'b'] },
  { when: 'the last has none', body: 'a\nb', lines: ['a', 'b'] },
  { when: 'lines end with CR LF', body: 'a\r\nb\r\nc\r', lines: ['a', 'b', 'c'] },
  { when: 'a CR stands inside', body: 'a\rb\n', lines: ['a\rb'] },
  { when: 'some are empty', body: '\n\na\n\n\r\n \t \nb\n\n', lines: ['a', 'b'] },
  { when: 'there is none', body: '', lines: [] },
  { when: 'all are empty', body: '\r\n\n  ', lines: [] },
  { when: 'characters have several bytes', body: '"é"\n"漢字"\n"😀"', lines: ['"é"', '"漢字"', '"😀"'] },
  { when: 'a line separator of Unicode stands inside', body: '"\u2028"\n', lines: ['"\u2028"'] },
  { when: 'a byte order mark comes first', body: '\ufeffa\nb', lines: ['a', 'b'] },
  { when: 'one comes before an empty line', body: '\ufeff\na', lines: ['a'] },
  { when: 'one comes later', body: 'a\n\ufeffb', lines: ['a', '\ufeffb'] },
  { when: 'there are two', body: '\ufeff\ufeffa', lines: ['\ufeffa'] },
  { when: 'lines are as long as they may be', body: `${'x'.repeat(20)}\n${'y'.repeat(20)}\r\n`, length: [20, 20] },
  { when: 'the first may be longest behind a mark', body: `\ufeff${'x'.repeat(20)}\r\n`, length: [20] },
  {
    when: 'some are too long',
    body: `${'x'.repeat(21)}\na\n${'y'.repeat(90)}\r\n\nb\n`,
    lines: [null, 'a', null, 'b']
  },
  { when: 'the last is too long', body: `a\n${'y'.repeat(50)}`, lines: ['a', null] },
  { when: 'one is too long with white space', body: `a${' '.repeat(40)}\nb`, lines: [null, 'b'] }
]

for (const { when, body, lines, length } of bodies) {
  t.test(`gives the same lines wherever the chunks are cut, when ${when}`, async t => {
    const whole = split(body)

    if (lines) t.strictSame(whole, lines)
    if (length)
      t.strictSame(
        whole.map(line => line?.length),
        length
      )
    for (let pieceBytes = 1; pieceBytes < Buffer.byteLength(body); pieceBytes += 1) {
      t.strictSame(split(body, { pieceBytes }), whole, `in pieces of ${pieceBytes}`)
    }
  })
}

t.test('keeps what it gave, whatever comes after', async t => {
  const splitter = createLineSplitter(20)
  splitter.push(Buffer.from('fir'))
  const [first] = splitter.push(Buffer.from('st\nseco'))
  splitter.push(Buffer.from('nd\nthird'))

  t.equal(String(first), 'first')
})

t.test('keeps no chunk for a line that is much smaller', async t => {
  const splitter = createLineSplitter(100_000)
  const chunk = Buffer.from(`${'a'.repeat(30)}\n${'\n'.repeat(50_000)}${'b'.repeat(30_000)}\nc`)

  const [small, large] = splitter.push(chunk)
  const [tail] = splitter.push(Buffer.from('d\n'))

  t.not(small?.buffer, chunk.buffer)
  t.equal(large?.buffer, chunk.buffer)
  t.strictSame(
    [small, large, tail].map(line => line?.length),
    [30, 30_000, 2]
  )
})

t.test('holds little more than the lines that it gave', async t => {
  const splitter = createLineSplitter(100_000)
  const kept: Line[] = []
  const before = process.memoryUsage().arrayBuffers
  // Half a line a chunk, so that each comes in two.
  for (let count = 0; count < 20_000; count += 1) kept.push(...splitter.push(Buffer.from('0123456789\n0123456789')))

  t.equal(kept.length, 20_000)
  t.ok(process.memoryUsage().arrayBuffers - before < 4_000_000)
})

t.test('counts the lines that it left out', async t => {
  const splitter = createLineSplitter(20)

  splitter.push(Buffer.from('\n\r\na\n '))
  splitter.push(Buffer.from('\n\t'))
  splitter.end()

  t.equal(splitter.emptyCount(), 4)
})

t.test('keeps little of a line that is too long, and is quick with one that comes byte by byte', async t => {
  const splitter = createLineSplitter(1_048_576)
  const before = process.memoryUsage().arrayBuffers

  // With work by the length for each byte this would take hours.
  const byte = Buffer.from('x')
  for (let count = 0; count < 3_000_000; count += 1) splitter.push(byte)

  t.strictSame(splitter.push(Buffer.from('\n')), [null])
  t.ok(process.memoryUsage().arrayBuffers - before < 16_000_000)
})
