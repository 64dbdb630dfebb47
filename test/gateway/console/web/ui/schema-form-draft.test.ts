import { Type } from '@sinclair/typebox'
import t from 'tap'
import {
  describeLimits,
  exampleOf,
  isShown,
  type JsonSchema,
  kindOf,
  partsOf,
  toDraft,
  toValue
} from '../../../../../gateway/console/web/ui/schema-form-draft.ts'

const Level = Type.Union([Type.Literal('warn'), Type.Literal('error')])
const Event: JsonSchema = Type.Object({
  note: Type.Optional(Type.String()),
  userId: Type.String({ minLength: 1, maxLength: 128, examples: ['ada'] }),
  count: Type.Integer({ minimum: 1, examples: [3] }),
  level: Type.Optional(Level),
  isNew: Type.Optional(Type.Boolean()),
  address: Type.Optional(
    Type.Object({ 'a/b~c': Type.String(), lines: Type.Array(Type.String({ examples: ['1 Way'] })) })
  ),
  metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown()))
})

t.test('knows how each part of an event is put in', async t => {
  const cases: { schema: JsonSchema; kind: string }[] = [
    { schema: Type.String(), kind: 'text' },
    { schema: Type.Integer(), kind: 'number' },
    { schema: Level, kind: 'choice' },
    { schema: { enum: ['a', 1] }, kind: 'choice' },
    { schema: Type.Boolean(), kind: 'choice' },
    { schema: Event, kind: 'group' },
    { schema: Type.Array(Type.Number()), kind: 'list' },
    { schema: Type.Record(Type.String(), Type.Unknown()), kind: 'json' },
    { schema: Type.Union([Type.String(), Type.Null()]), kind: 'json' },
    { schema: Type.Tuple([Type.String()]) as JsonSchema, kind: 'json' },
    { schema: {}, kind: 'json' }
  ]

  for (const { schema, kind } of cases) t.equal(kindOf(schema), kind, JSON.stringify(schema))
})

t.test('puts what is required first', async t => {
  const names = partsOf(Event, '').map(({ name }) => name)

  t.strictSame(names, ['userId', 'count', 'note', 'level', 'isNew', 'address', 'metadata'])
})

t.test('a value comes back from its draft as it went in', async t => {
  const values = [
    { userId: 'ada', count: 1 },
    { userId: '', count: 0.5, note: 'n', level: 'warn', isNew: false },
    { userId: '1', count: 1, address: { 'a/b~c': '', lines: ['', 'x'] }, metadata: { deep: [{ a: null }] } }
  ]

  for (const value of values) {
    t.strictSame(toValue(Event, toDraft(Event, value)), { value, faults: [] })
    t.ok(isShown(Event, value))
  }
})

t.test('knows what a form cannot show', async t => {
  const values = [
    null,
    [],
    'text',
    { userId: 'ada', count: 1, extra: true },
    { userId: 1, count: 1 },
    { userId: 'a', count: 1, note: '' }
  ]

  for (const value of values) t.notOk(isShown(Event, value), JSON.stringify(value))
})

t.test('says at its place what cannot be read', async t => {
  const draft = { userId: 'ada', count: '1x', metadata: '{', address: { 'a/b~c': '', lines: [] } }
  const inner = Type.Object({ 'a/b~c': Type.Array(Type.Number()) })

  t.strictSame(toValue(Event, draft).faults, [
    { path: '/count', message: 'is no number' },
    { path: '/metadata', message: 'is no JSON' }
  ])
  t.strictSame(toValue(inner, { 'a/b~c': ['1', 'x'] }).faults, [{ path: '/a~1b~0c/1', message: 'is no number' }])
})

t.test('leaves out what is empty and not a required text', async t => {
  const draft = { userId: '', count: ' ', note: '', level: '', metadata: '', address: undefined }

  t.strictSame(toValue(Event, draft), { value: { userId: '' }, faults: [] })
})

t.test('makes an event of the examples', async t => {
  t.strictSame(exampleOf(Event), { userId: 'ada', count: 3 })
  t.match(exampleOf(Event, { withOptional: true }), { level: 'warn', isNew: true, address: { lines: ['1 Way'] } })
  t.ok(Number.isFinite(Date.parse(String(exampleOf({ type: 'string', format: 'date-time' })))))
  t.equal(exampleOf({ type: 'string' }), undefined)
})

t.test('says in words what a part may be', async t => {
  t.equal(describeLimits(Type.String({ minLength: 1, maxLength: 8192 })), 'text, 1 to 8,192 characters')
  t.equal(describeLimits(Type.Integer({ minimum: 1 })), 'whole number, at least 1')
  t.equal(describeLimits(Type.Number({ minimum: 0, maximum: 1 })), 'number, 0 to 1')
  t.equal(describeLimits(Type.String({ format: 'date-time' })), 'date and time, ISO 8601')
  t.equal(describeLimits(Type.String({ format: 'uuid' })), 'uuid')
  t.equal(describeLimits(Type.Record(Type.String(), Type.Unknown())), 'JSON object')
  t.equal(describeLimits(Level), '')
  t.equal(describeLimits({}), 'JSON')
})
