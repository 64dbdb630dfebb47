import t from 'tap'
import { drawDigits } from '../../sdk/random-digits.ts'

t.test('draws as many digits as are asked for, each once', async t => {
  const drawn = Array.from({ length: 5_000 }, () => drawDigits(20))

  t.ok(drawn.every(digits => /^[0-9a-f]{20}$/.test(digits)))
  t.equal(new Set(drawn).size, drawn.length)
})

t.test('draws each digit about as often as any other', async t => {
  const counts = new Map<string, number>()
  for (const digit of Array.from({ length: 100 }, () => drawDigits(1_000)).join(''))
    counts.set(digit, (counts.get(digit) ?? 0) + 1)

  t.equal(counts.size, 16)
  // 6,250 of each are expected, with a deviation of 77.
  t.ok([...counts.values()].every(count => count > 5_600 && count < 6_900))
})
