import t from 'tap'
import { MAX_DEPTH, parseJson } from '../../sdk/parse-json.ts'
import type { Fault } from '../../sdk/types.ts'

const nested = (depth: number) => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`

const sound = [
  '{}',
  '{"a":{"b":[1,null,true,"x"]}}',
  '{"a":1,"a":2}',
  '{"n":12345678901234567890,"e":1e308,"z":-0}',
  '{"ü":"😀","escaped":"\\ud83d\\ude00","tab":"\\t"}',
  '{"prototype":1,"hasOwnProperty":2,"toString":3,"":4}',
  '["constructor","__proto__"]',
  nested(MAX_DEPTH)
]
for (const text of sound) {
  t.test(`parses ${text.slice(0, 60)} as JSON.parse does`, async t => {
    t.strictSame(parseJson(Buffer.from(text)), JSON.parse(text))
  })
}

const faults = [
  { when: 'nothing', text: '', path: '', message: 'is empty' },
  { when: 'no UTF-8', text: Buffer.from([0x22, 0xff, 0x22]), path: '', message: 'is not UTF-8' },
  { when: 'half of a character', text: Buffer.from('"ü"').subarray(0, 2), path: '', message: 'is not UTF-8' },
  { when: 'no JSON', text: '{"ü":x}', path: '', message: /^is not JSON/ },
  { when: 'half of JSON', text: '{"secret":"hunter2"', path: '', message: 'is not JSON, at character 19' },
  { when: 'a mark of byte order', text: '\ufeff{}', path: '', message: /^is not JSON/ },
  { when: 'U+0000 in a text', text: '{"a":["\\u0000"]}', path: '/a/0', message: 'holds the character \\u0000' },
  { when: 'U+0000 in a name', text: '{"a":{"b\\u0000":1}}', path: '/a/b', message: 'holds the character \\u0000' },
  { when: 'half of a surrogate pair', text: '{"a":"\\ud800"}', path: '/a', message: 'holds half of a surrogate pair' },
  {
    when: 'half of a pair in a name',
    text: '{"\\udc00":1}',
    path: '/\ufffd',
    message: 'holds half of a surrogate pair'
  },
  {
    when: 'a fault in a member whose name is cut in the middle of a pair',
    text: `{"${'a'.repeat(99)}😀":1e309}`,
    path: `/${'a'.repeat(99)}\ufffd`,
    message: 'is beyond the range of a number'
  },
  { when: 'a number beyond a double', text: '{"a":-1e309}', path: '/a', message: 'is beyond the range of a number' },
  {
    when: 'a member named __proto__',
    text: '{"a":{"__proto__":1}}',
    path: '/a/__proto__',
    message: 'is a name that is not allowed'
  },
  {
    when: 'a member named constructor',
    text: '[{"constructor":1}]',
    path: '/0/constructor',
    message: 'is a name that is not allowed'
  },
  {
    when: 'a fault at an odd place',
    text: '{"a/b":{"c~d":"\\u0000"}}',
    path: '/a~1b/c~0d',
    message: 'holds the character \\u0000'
  },
  {
    when: 'a fault at a long place',
    text: `{"${'x'.repeat(500)}":"\\u0000"}`,
    path: `/${'x'.repeat(100)}`,
    message: 'holds the character \\u0000'
  },
  {
    when: 'a fault under many long names',
    text: `${`{"${'~'.repeat(100)}":`.repeat(60)}"\\u0000"${'}'.repeat(60)}`,
    path: `/${'~0'.repeat(100)}`.repeat(2),
    message: 'holds the character \\u0000'
  },
  {
    when: 'too many containers',
    text: nested(MAX_DEPTH + 2),
    path: /^(\/0\/a){32}$/,
    message: 'is nested deeper than 64'
  }
]
for (const { when, text, path, message } of faults) {
  t.test(`refuses ${when}, and says where`, async t => {
    const error = caught(Buffer.from(text as string))

    t.match(error, { code: 'SMG_SDK_BAD_JSON', statusCode: 422, faults: [{ path, message }] })
    t.equal(error.faults.length, 1)
    if (typeof path === 'string') t.equal(error.faults[0]?.path, path)
    t.notMatch(error.message, 'hunter2', 'without quoting it')
  })
}

t.test('survives any depth that JSON.parse survives', async t => {
  t.match(caught(Buffer.from(`${'['.repeat(5_000)}${']'.repeat(5_000)}`)), {
    faults: [{ message: 'is nested deeper than 64' }]
  })
})

function caught(bytes: Buffer): Error & { faults: Fault[] } {
  try {
    parseJson(bytes)
  } catch (error) {
    return error as Error & { faults: Fault[] }
  }
  throw new Error('was parsed')
}
