import { Type } from '@sinclair/typebox'
import t from 'tap'
import { oneOf, parseSettings, secret } from '../../sdk/config.ts'

const settings = {
  URL: Type.String({ pattern: '^https://', allowed: 'https://host', ...secret }),
  PORT: Type.Integer({ default: 3000, minimum: 0, maximum: 65_535 }),
  SIZE: Type.Optional(Type.Integer({ minimum: 1 })),
  COUNT: Type.Optional(Type.Integer()),
  RATIO: Type.Optional(Type.Number()),
  OPEN: Type.Boolean({ default: true }),
  LEVEL: oneOf(['debug', 'info'], { default: 'info' }),
  NAME: Type.Optional(Type.String({ minLength: 2 }))
}
const URL = 'https://user:hunter2@host'
const parse = (given: NodeJS.ProcessEnv) => parseSettings(settings, { URL, ...given })

t.test('fills in what is not set', async t => {
  t.strictSame(parse({ STRANGER: 'x' }), { URL, PORT: 3000, OPEN: true, LEVEL: 'info' })
})

t.test('makes numbers and truth of text, and drops white space', async t => {
  const given = { PORT: ' 0 ', SIZE: '7', COUNT: '-3', RATIO: '0.5', OPEN: 'false', LEVEL: 'debug', NAME: ' Ada ' }

  t.strictSame(parse(given), { URL, PORT: 0, SIZE: 7, COUNT: -3, RATIO: 0.5, OPEN: false, LEVEL: 'debug', NAME: 'Ada' })
})

t.test('takes an empty variable for one that is not set', async t => {
  t.strictSame(parse({ PORT: '', SIZE: '  ', LEVEL: '' }), { URL, PORT: 3000, OPEN: true, LEVEL: 'info' })
})

t.test('cannot be changed', async t => {
  const parsed = parse({})

  t.throws(() => Object.assign(parsed, { PORT: 1 }))
})

const wrong = [
  { given: { PORT: '70000' }, message: 'PORT is "70000"; it may be a whole number from 0 to 65535' },
  { given: { PORT: '-1' }, message: 'PORT is "-1"; it may be a whole number from 0 to 65535' },
  { given: { PORT: '3000.5' }, message: 'PORT is "3000.5"; it may be a whole number from 0 to 65535' },
  { given: { PORT: '3e3' }, message: 'PORT is "3e3"; it may be a whole number from 0 to 65535' },
  { given: { PORT: '0x10' }, message: 'PORT is "0x10"; it may be a whole number from 0 to 65535' },
  { given: { PORT: 'Infinity' }, message: 'PORT is "Infinity"; it may be a whole number from 0 to 65535' },
  { given: { SIZE: '0' }, message: 'SIZE is "0"; it may be a whole number from 1' },
  { given: { COUNT: 'many' }, message: 'COUNT is "many"; it may be a whole number' },
  { given: { RATIO: 'half' }, message: 'RATIO is "half"; it may be a number' },
  { given: { OPEN: 'yes' }, message: 'OPEN is "yes"; it may be true or false' },
  { given: { OPEN: 'TRUE' }, message: 'OPEN is "TRUE"; it may be true or false' },
  { given: { LEVEL: 'loud' }, message: 'LEVEL is "loud"; it may be debug, info' },
  { given: { NAME: 'A' }, message: 'NAME is "A"; it may be a text that is not empty' },
  { given: { LEVEL: 'x'.repeat(200) }, message: `LEVEL is "${'x'.repeat(100)}"; it may be debug, info` },
  { given: { URL: undefined }, message: 'URL is not set; it may be https://host' },
  { given: { URL: '' }, message: 'URL is not set; it may be https://host' },
  { given: { URL: 'http://user:hunter2@host' }, message: 'URL is set to something else; it may be https://host' }
]
for (const { given, message } of wrong) {
  t.test(`stops: ${message.slice(0, 80)}`, async t => {
    t.throws(() => parse(given), { code: 'SMG_SDK_BAD_SETTING', message: exactly(message) })
  })
}

t.test('a secret is in no error', async t => {
  try {
    parse({ URL: 'hunter2' })
    t.fail('was parsed')
  } catch (error) {
    t.notMatch(
      JSON.stringify([error, String(error), (error as Error).stack, Object.values(error as object)]),
      'hunter2'
    )
  }
})

function exactly(text: string): RegExp {
  return new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)
}
