import t from 'tap'
import { previewOf } from '../../../../gateway/console/web/preview.ts'

t.test('writes a value as one line of JSON', async t => {
  const cases = [
    {
      when: 'an object',
      value: { userId: 'ada', n: 1, tags: ['a', null] },
      text: '{"userId": "ada", "n": 1, "tags": ["a", null]}'
    },
    { when: 'a text with markup', value: '<img src=x onerror=alert(1)>', text: '"<img src=x onerror=alert(1)>"' },
    { when: 'a text of several lines', value: 'a\nb', text: '"a\\nb"' },
    { when: 'null', value: null, text: 'null' },
    { when: 'nothing', value: undefined, text: 'undefined' },
    { when: 'empty', value: { list: [], object: {} }, text: '{"list": [], "object": {}}' }
  ]

  for (const { when, value, text } of cases) t.equal(previewOf(value), text, when)
})

t.test('stops where there is no more room, and says so', async t => {
  const large = { text: 'x'.repeat(1024 * 1024), after: 1 }
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`name${index}`, index]))
  const unread = {
    first: 'y'.repeat(50),
    get second() {
      return t.fail('nobody reads what is not shown')
    }
  }

  t.equal(previewOf(large, 20), `{"text": "${'x'.repeat(10)}…`)
  t.equal(previewOf(many, 20).length, 21)
  t.match(previewOf(unread, 20), /…$/)
  t.equal(previewOf('abc', 3), '"ab…')
  t.match(previewOf(['x'.repeat(20)], 24), /^\["x{20}"\]$/, 'what fits exactly is whole')
})

t.test('keeps text that runs from right to left, or says so, from turning its neighbours', async t => {
  t.equal(previewOf(['a\u202eb', 1]), '["a\\u202eb", 1]')
  t.equal(previewOf({ name: 'مريم', n: 1 }), '{"name": \u2068"مريم"\u2069, "n": 1}')
})

t.test('cuts no character in two', async t => {
  t.ok(previewOf('😀😀😀', 4).isWellFormed())
})
