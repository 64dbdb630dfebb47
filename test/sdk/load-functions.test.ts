import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadFunctions, pickFunctions } from '../../sdk/load-functions.ts'

// Inside the tree, so that `smg-kafka` is found.
const root = mkdtempSync(join(import.meta.dirname, '.functions-'))
t.teardown(() => rmSync(root, { recursive: true, force: true }))
let folders = 0

/** Writes a folder of functions, and gives its path. */
function write(files: Readonly<Record<string, string>>): string {
  folders += 1
  const folder = join(root, String(folders))
  mkdirSync(folder)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

const load = (folder: string) => loadFunctions(folder, { retentionHours: 7 })
const HEAD = `import { defineFunction, Type } from 'smg-kafka'
import { boolean, pgTable, text, uuid } from 'drizzle-orm/pg-core'
const event = Type.Object({ a: Type.String() })
const table = pgTable('a', { id: uuid().primaryKey(), a: text() })
`
const define = (members: string) => `${HEAD}export default defineFunction({ ${members} } as never)`

t.test('gives every function under its topic, in the order of the files, with all defaults', async t => {
  const functions = await load(
    write({
      'b.ts': define('event, key: ({ a }: never) => a, table, handle: () => undefined'),
      'a.b-c_d.ts': define('event'),
      'c.js': "import { Type } from 'smg-kafka'\nexport default { event: Type.Object({}), handle() {} }",
      'types.d.ts': 'export type A = 1',
      'README.md': '# none',
      '.b.ts.swp': 'no module'
    })
  )

  t.strictSame([...functions.keys()], ['a.b-c_d', 'b', 'c'])
  t.match(functions.get('b'), { topic: 'b', file: 'b.ts', kind: 'rows', table: Object, handle: Function })
  t.match(functions.get('a.b-c_d'), { kind: 'inbox', table: null, handle: null })
  t.match(functions.get('c'), { kind: 'transaction', table: null, handle: Function })
  t.strictSame(functions.get('b')?.options, {
    ...{ maxAttempts: 3, backoffMs: { min: 100, max: 5_000 }, timeoutMs: 10_000, maxAgeMs: null, partitions: 3 },
    ...{ retentionHours: 7, ordering: 'partition', concurrency: 1, mask: [] }
  })
})

t.test('gives options as the file has them', async t => {
  const options = {
    ...{ maxAttempts: 1, backoffMs: { min: 0, max: 0 }, timeoutMs: 1, maxAgeMs: 1, partitions: 12 },
    ...{ retentionHours: 0.5, ordering: 'partition', concurrency: 8, mask: [] }
  }
  const members = JSON.stringify(options).slice(1, -1)

  const functions = await load(write({ 'a.ts': define(`event, table, handle: () => [], ${members}`) }))

  t.strictSame(functions.get('a')?.options, options)
})

t.test('takes an option that is undefined for one that is left out, and half of one for the other half', async t => {
  const members =
    'event, retentionHours: undefined, maxAttempts: undefined, maxAgeMs: undefined, mask: undefined, backoffMs: { min: 9 }'

  const functions = await load(write({ 'a.ts': define(members) }))

  t.match(functions.get('a')?.options, {
    retentionHours: 7,
    maxAttempts: 3,
    maxAgeMs: null,
    mask: [],
    backoffMs: { min: 9, max: 5_000 }
  })
})

t.test('gives what the file does with an event', async t => {
  const key = 'key: ({ a }: { a: string }) => (a === "none" ? null : a === "absent" ? undefined : a === "7" ? 7 : a)'
  const loaded = (await load(write({ 'a.ts': define(`event, ${key}`), 'b.ts': define('event') }))).get('a')

  t.strictSame(
    ['x', 'none', 'absent', '7'].map(a => loaded?.key({ a })),
    ['x', null, null, '7']
  )
  t.strictSame(loaded?.parseEvent(Buffer.from('{"a":"x"}')), { a: 'x' })
  t.strictSame(loaded?.findFaults({ a: 'x', b: 1 }), [{ path: '/b', message: 'is not known' }])
  t.throws(() => loaded?.parseEvent(Buffer.from('{')), { code: 'SMG_SDK_BAD_JSON' })
  t.throws(() => loaded?.parseEvent(Buffer.from('{"a":7}')), {
    code: 'SMG_SDK_BAD_EVENT',
    message: 'The event breaks its schema at /a: must be string',
    faults: [{ path: '/a', message: 'must be string' }]
  })
  t.throws(() => loaded?.parseEvent(Buffer.from('7')), {
    message: 'The event breaks its schema at (the whole): must be object'
  })
})

const names = [
  { file: 'with space.ts', reason: 'a topic has 1 to 100 letters, digits, dots, hyphens and underscores' },
  { file: 'ümlaut.ts', reason: 'a topic has 1 to 100' },
  { file: '...ts', reason: 'a topic has 1 to 100' },
  { file: `${'x'.repeat(101)}.ts`, reason: 'a topic has 1 to 100' },
  { file: '__consumer_offsets.ts', reason: 'names that begin with __ or dlq. are the system’s own' },
  { file: 'dlq.orders.ts', reason: 'names that begin with __ or dlq. are the system’s own' }
]
for (const { file, reason } of names) {
  t.test(`stops at the name ${file.slice(0, 30)}`, async t => {
    await t.rejects(load(write({ [file]: define('event') })), {
      code: 'SMG_SDK_BAD_TOPIC',
      message: new RegExp(`^${file.replaceAll('.', '\\.')}: topic: ${reason.replaceAll('.', '\\.')}`)
    })
  })
}

t.test('takes a name of 100 characters', async t => {
  const functions = await load(write({ [`${'x'.repeat(100)}.ts`]: define('event') }))

  t.equal(functions.size, 1)
})

t.test('stops at two files for one topic', async t => {
  await t.rejects(load(write({ 'a.ts': define('event'), 'a.mjs': '', 'b.ts': define('event') })), {
    code: 'SMG_SDK_TOPIC_TWICE',
    message: 'a.mjs and a.ts are both the function of topic a: remove one'
  })
})

const noSchema = 'must be a schema, as Type.Object({ … }) makes it'
const noTable = 'must be a table, as pgTable(…) makes it'
const noId = 'needs a column `id: uuid().primaryKey()`: it is the id of the event'
const files = [
  {
    when: 'it has no default export',
    text: 'export const a = 1',
    field: 'default export',
    reason: 'is missing: end the file with'
  },
  {
    when: 'its default export is a function',
    text: 'export default () => 1',
    field: 'default export',
    reason: 'is missing'
  },
  { when: 'its default export is null', text: 'export default null', field: 'default export', reason: 'is missing' },
  { when: 'it does not parse', text: 'export default {', field: 'import', reason: '' },
  {
    when: 'it imports what is not there',
    text: "import './nothing.ts'",
    field: 'import',
    reason: 'Cannot find module'
  },
  { when: 'it throws an error', text: "throw new Error('no luck')", field: 'import', reason: 'no luck' },
  { when: 'it throws a text', text: "throw 'no luck'", field: 'import', reason: 'no luck' },
  { when: 'it has no event', text: define('handle() {}'), field: 'event', reason: noSchema },
  { when: 'its event is no schema', text: define('event: { type: "object" }'), field: 'event', reason: noSchema },
  { when: 'its event is no object', text: define('event: Type.String()'), field: 'event', reason: noSchema },
  {
    when: 'its event has an unknown format',
    text: define('event: Type.Object({ a: Type.String({ format: "phone" }) })'),
    field: 'event',
    reason: 'unknown format "phone"'
  },
  {
    when: 'its event has a keyword that nobody knows',
    text: define('event: Type.Object({ a: Type.String({ maxLenght: 1 }) })'),
    field: 'event',
    reason: 'strict mode: unknown keyword: "maxLenght"'
  },
  {
    when: 'its key is no function',
    text: define('event, key: "a"'),
    field: 'key',
    reason: 'must be a function of the event'
  },
  {
    when: 'its key is null',
    text: define('event, key: null'),
    field: 'key',
    reason: 'must be a function of the event'
  },
  {
    when: 'its handle is no function',
    text: define('event, handle: true'),
    field: 'handle',
    reason: 'must be a function'
  },
  { when: 'its table is a name', text: define('event, table: "a", handle() {}'), field: 'table', reason: noTable },
  { when: 'its table is null', text: define('event, table: null, handle() {}'), field: 'table', reason: noTable },
  {
    when: 'its table has no handle',
    text: define('event, table'),
    field: 'handle',
    reason: 'is missing: a function with a `table` gives its rows'
  },
  {
    when: 'its table has no id',
    text: define('event, table: pgTable("a", { a: text() }), handle() {}'),
    field: 'table',
    reason: noId
  },
  {
    when: 'the id is no UUID',
    text: define('event, table: pgTable("a", { id: text().primaryKey() }), handle() {}'),
    field: 'table',
    reason: noId
  },
  {
    when: 'the id is no key',
    text: define('event, table: pgTable("a", { id: uuid() }), handle() {}'),
    field: 'table',
    reason: noId
  },
  {
    when: 'an option is not known',
    text: define('event, retries: 3'),
    field: 'retries',
    reason:
      'is no option; there are maxAttempts, backoffMs, timeoutMs, maxAgeMs, partitions, retentionHours, ordering, concurrency, mask'
  },
  {
    when: 'maxAttempts is 0',
    text: define('event, maxAttempts: 0'),
    field: 'maxAttempts',
    reason: 'Expected integer to be greater or equal to 1'
  },
  {
    when: 'maxAttempts is a text',
    text: define('event, maxAttempts: "3"'),
    field: 'maxAttempts',
    reason: 'Expected integer'
  },
  {
    when: 'maxAttempts is half',
    text: define('event, maxAttempts: 1.5'),
    field: 'maxAttempts',
    reason: 'Expected integer'
  },
  {
    when: 'timeoutMs is no time',
    text: define('event, timeoutMs: -1'),
    field: 'timeoutMs',
    reason: 'Expected integer'
  },
  { when: 'maxAgeMs is 0', text: define('event, maxAgeMs: 0'), field: 'maxAgeMs', reason: 'Expected' },
  {
    when: 'partitions are too many',
    text: define('event, partitions: 10001'),
    field: 'partitions',
    reason: 'Expected integer to be less or equal to 10000'
  },
  {
    when: 'retentionHours is 0',
    text: define('event, retentionHours: 0'),
    field: 'retentionHours',
    reason: 'Expected number to be greater than 0'
  },
  {
    when: 'retentionHours is null',
    text: define('event, retentionHours: null'),
    field: 'retentionHours',
    reason: 'Expected number'
  },
  {
    when: 'mask holds a field',
    text: define('event, mask: ["a"]'),
    field: 'mask',
    reason: 'must be empty: hiding fields is not built yet'
  },
  {
    when: 'ordering is another word',
    text: define('event, ordering: "topic"'),
    field: 'ordering',
    reason: 'Expected union value'
  },
  { when: 'mask is a text', text: define('event, mask: "a"'), field: 'mask', reason: 'Expected array' },
  { when: 'mask holds no text', text: define('event, mask: [7]'), field: 'mask.0', reason: 'Expected string' },
  {
    when: 'backoffMs has another member',
    text: define('event, backoffMs: { min: 1, max: 2, factor: 3 }'),
    field: 'backoffMs.factor',
    reason: 'is no option'
  },
  {
    when: 'backoffMs is upside down',
    text: define('event, backoffMs: { min: 2, max: 1 }'),
    field: 'backoffMs',
    reason: 'max is below min'
  }
]
for (const { when, text, field, reason } of files) {
  t.test(`stops at a file when ${when}`, async t => {
    const error = await load(write({ 'a.ts': text })).catch((thrown: Error) => thrown)

    t.match(error, { code: 'SMG_SDK_BAD_FILE' })
    t.match((error as Error).message.startsWith(`a.ts: ${field}: ${reason}`), true, (error as Error).message)
  })
}

t.test(
  'rule 18a: refuses concurrency without a table: an effect that is ahead of its position is fenced by nothing',
  async t => {
    const text = define('event, concurrency: 2, handle() {}')

    await t.rejects(load(write({ 'a.ts': text })), { message: /^a\.ts: concurrency: needs a `table`/ })
  }
)

t.test('stops at a folder that is not there, or none', async t => {
  const file = join(write({ 'a.ts': '' }), 'a.ts')

  await t.rejects(load(join(root, 'nothing')), { code: 'SMG_SDK_NO_FUNCTIONS', message: /nothing/ })
  await t.rejects(load(file), { code: 'SMG_SDK_NO_FUNCTIONS' })
})

t.test('gives nothing of an empty folder', async t => t.equal((await load(write({}))).size, 0))

t.test('picks functions by topic', async t => {
  const functions = await load(write({ 'a.ts': define('event'), 'b.ts': define('event') }))
  const pick = (topics?: string[]) => pickFunctions(functions, topics).map(({ topic }) => topic)

  t.strictSame(pick(), ['a', 'b'])
  t.strictSame(pick(['b']), ['b'])
  t.throws(() => pick(['a', 'c']), {
    code: 'SMG_SDK_UNKNOWN_FUNCTION',
    message: 'FUNCTIONS names c, and there is no such file: there are a, b'
  })
  t.throws(() => pickFunctions(new Map(), ['c']), { message: /there are none$/ })
})
