import { type TSchema, Type } from '@sinclair/typebox'
import t from 'tap'
import { closeObjects, compileSchema, isSchema } from '../../sdk/event-schema.ts'

const Name = Type.Object({ name: Type.String() })
const Age = Type.Object({ age: Type.Integer() })
const ada = { name: 'Ada' }

const closed: { what: string; schema: TSchema; event: unknown; at: string | null }[] = [
  { what: 'an object', schema: Name, event: { ...ada, x: 1 }, at: '/x' },
  { what: 'an object without members', schema: Type.Object({}), event: { x: 1 }, at: '/x' },
  { what: 'an object inside', schema: Type.Object({ a: Name }), event: { a: { ...ada, x: 1 } }, at: '/a/x' },
  {
    what: 'an object that may be missing',
    schema: Type.Object({ a: Type.Optional(Name) }),
    event: { a: { x: 1 } },
    at: '/a/name'
  },
  {
    what: 'an object in a list',
    schema: Type.Object({ a: Type.Array(Name) }),
    event: { a: [ada, { ...ada, x: 1 }] },
    at: '/a/1/x'
  },
  {
    what: 'an object in a tuple',
    schema: Type.Object({ a: Type.Tuple([Name]) }),
    event: { a: [{ ...ada, x: 1 }] },
    at: '/a/0/x'
  },
  {
    what: 'an object in a record',
    schema: Type.Record(Type.String(), Name),
    event: { a: { ...ada, x: 1 } },
    at: '/a/x'
  },
  {
    what: 'an object of a choice',
    schema: Type.Object({ a: Type.Union([Name, Age]) }),
    event: { a: { ...ada, x: 1 } },
    at: '/a/x'
  },
  {
    what: 'an object inside a part of an intersection',
    schema: Type.Intersect([Type.Object({ a: Name }), Age]),
    event: { a: { ...ada, x: 1 }, age: 1 },
    at: '/a/x'
  },
  {
    what: 'members that are named as keywords',
    schema: Type.Object({ default: Name, const: Name }),
    event: { default: { ...ada, x: 1 }, const: ada },
    at: '/default/x'
  },
  {
    what: 'a member that is named properties',
    schema: Type.Object({ properties: Name }),
    event: { properties: { ...ada, x: 1 } },
    at: '/properties/x'
  }
]
for (const { what, schema, event, at } of closed) {
  t.test(`closes ${what}`, async t => {
    const faults = compileSchema(closeObjects(schema))(event)

    t.ok(
      faults?.some(({ path }) => path === at),
      JSON.stringify(faults)
    )
    t.equal(schema.additionalProperties, undefined, 'the schema that was given stays as it was')
  })
}

const open: { what: string; schema: TSchema; event: unknown }[] = [
  { what: 'an object that says so', schema: Type.Object({}, { additionalProperties: true }), event: { x: 1 } },
  { what: 'a record', schema: Type.Record(Type.String(), Type.Unknown()), event: { x: 1, y: {} } },
  { what: 'an unknown', schema: Type.Object({ a: Type.Unknown() }), event: { a: { x: 1 } } },
  { what: 'the parts of an intersection', schema: Type.Intersect([Name, Age]), event: { ...ada, age: 36 } },
  {
    what: 'a choice that is a part of an intersection',
    schema: Type.Intersect([Name, Type.Union([Age, Type.Object({ born: Type.Integer() })])]),
    event: { ...ada, born: 1815 }
  },
  {
    what: 'an intersection inside an intersection',
    schema: Type.Intersect([Name, Type.Intersect([Age, Type.Object({ b: Type.Null() })])]),
    event: { ...ada, age: 1, b: null }
  }
]
for (const { what, schema, event } of open) {
  t.test(`leaves ${what} open`, async t => t.equal(compileSchema(closeObjects(schema))(event), null))
}

t.test('leaves conditions and data as they are', async t => {
  const NotAda = Type.Object({ a: Type.Not(Type.Object({ name: Type.Literal('Ada') })) })
  const examples = { examples: [{ type: 'object', properties: {} }] }

  t.match(compileSchema(closeObjects(NotAda))({ a: { name: 'Ada', x: 1 } }), [{ path: '/a' }])
  t.strictSame(closeObjects(Type.Object({}, examples)).examples, examples.examples)
  t.ok(isSchema(closeObjects(Name)), 'it is a schema still')
})

t.test('checks a recursive schema', async t => {
  const Tree = Type.Recursive(Self => Type.Object({ children: Type.Array(Self) }), { $id: 'tree' })
  const findFaults = compileSchema(closeObjects(Tree))

  t.equal(findFaults({ children: [{ children: [] }] }), null)
  t.match(findFaults({ children: [{ children: [], x: 1 }] }), [{ path: '/children/0/x' }])
})

const faults = [
  { schema: Name, event: {}, fault: { path: '/name', message: 'is missing' } },
  { schema: Name, event: { name: 7 }, fault: { path: '/name', message: 'must be string' } },
  { schema: Name, event: [], fault: { path: '', message: 'must be object' } },
  { schema: Name, event: { ...ada, 'a/b~c': 1 }, fault: { path: '/a~1b~0c', message: 'is not known' } },
  {
    schema: Name,
    event: { ...ada, ['x'.repeat(200)]: 1 },
    fault: { path: `/${'x'.repeat(100)}`, message: 'is not known' }
  },
  { schema: Type.Object({ a: Type.Literal('x') }), event: { a: 'y' }, fault: { path: '/a', message: 'must be "x"' } },
  {
    schema: Type.Object({ a: Type.String({ format: 'date-time' }) }),
    event: { a: 'now' },
    fault: { path: '/a', message: 'must match format "date-time"' }
  },
  { schema: Type.Object({ a: Type.Integer() }), event: { a: '1' }, fault: { path: '/a', message: 'must be integer' } }
]
for (const { schema, event, fault } of faults) {
  t.test(`${fault.path.slice(0, 20) || 'the whole'} ${fault.message}`, async t => {
    t.strictSame(compileSchema(closeObjects(schema))(event), [fault])
  })
}

const times = [
  ...['2026-11-27T08:00:00.000Z', '2026-01-31T23:59:59Z', '2026-04-30T00:00:00.5Z', '2026-02-28T12:00:00Z'],
  ...['2024-02-29T12:00:00Z', '2000-02-29T12:00:00Z', '2016-12-31T23:59:60Z', '2026-11-27T09:00:00+09:00'],
  ...['2026-11-27t08:00:00z', '2026-11-27 08:00:00Z']
]
const noTimes = [
  ...['2026-04-31T12:00:00Z', '2026-02-29T12:00:00Z', '1900-02-29T12:00:00Z', '2026-13-01T12:00:00Z'],
  ...['2026-00-10T12:00:00Z', '2026-11-00T12:00:00Z', '2026-01-32T12:00:00Z', '2026-11-27T24:00:00Z'],
  ...['2026-11-27T08:60:00Z', '2026-11-27T08:00:60Z', '2026-11-27T08:00:00.Z', '2026-11-27T08:00:00', '2026-11-27'],
  ...['2026-11-27T08:00:00Z\n', ' 2026-11-27T08:00:00Z', '+002026-11-27T08:00:00Z', '']
]
t.test('takes the times that RFC 3339 knows, in UTC and elsewhere, and no other', async t => {
  const findFaults = compileSchema(Type.String({ format: 'date-time' }))

  for (const time of times) t.equal(findFaults(time), null, time)
  for (const time of noTimes) t.match(findFaults(time), [{ message: 'must match format "date-time"' }], time)
})

t.test('names twenty faults at most', async t => {
  const words = Array.from({ length: 30 }, (_, index) => Type.Literal(String(index)))

  t.equal(compileSchema(Type.Object({ a: Type.Union(words) }))({ a: 'x' })?.length, 20)
})

t.test('changes nothing in an event', async t => {
  const event = Object.freeze({})

  t.equal(compileSchema(closeObjects(Type.Object({ a: Type.Optional(Type.Integer({ default: 1 })) })))(event), null)
})

const wrong = [
  { when: 'a format is not known', schema: Type.String({ format: 'phone' }), message: /phone/ },
  { when: 'a pattern is none', schema: Type.String({ pattern: '(' }), message: /pattern|regular/ },
  { when: 'a keyword is not known', schema: Type.String({ maxLenght: 1 }), message: /maxLenght/ },
  { when: 'a type is none of JSON', schema: Type.Date(), message: /type must be equal to one of the allowed values/ }
]
for (const { when, schema, message } of wrong) {
  t.test(`throws when ${when}`, async t => void t.throws(() => compileSchema(schema), { message }))
}

t.test('compiles the schema of schemas once for all', async t => {
  compileSchema(Name)
  const { Function: Original } = globalThis
  t.teardown(() => void Object.assign(globalThis, { Function: Original }))
  let compiled = 0
  const Counted = class extends Original {
    constructor(...parts: string[]) {
      compiled += 1
      super(...parts)
    }
  }
  Object.assign(globalThis, { Function: Counted })

  t.strictSame(compileSchema(Age)({ age: 'x' }), [{ path: '/age', message: 'must be integer' }])
  t.equal(compiled, 1)
})

t.test('compares times with the bounds that a schema sets', async t => {
  const bounds = { formatMinimum: '2020-01-01T00:00:00Z', formatExclusiveMaximum: '2021-01-01T00:00:00Z' }
  const findFaults = compileSchema(Type.String({ format: 'date-time', ...bounds }))

  t.equal(findFaults('2020-01-01T00:00:00Z'), null)
  for (const time of ['2019-12-31T23:59:59Z', '2021-01-01T00:00:00Z']) t.match(findFaults(time), [{ path: '' }], time)
})

t.test('keeps schemas apart that have the same $id', async t => {
  const part = (schema: TSchema) => Type.Object({ a: { ...schema, $id: 'part' } as TSchema }, { $id: 'whole' })
  const findInName = compileSchema(part(Name))
  const findInAge = compileSchema(part(Age))

  t.strictSame([findInName({ a: ada }), findInAge({ a: { age: 36 } })], [null, null])
  t.match(findInAge({ a: ada }), [{ path: '/a/age' }])
})

t.test('knows a schema from what only looks like one', async t => {
  t.ok(isSchema(Name))
  for (const other of [{ type: 'object' }, 'object', null, undefined, () => Name]) t.notOk(isSchema(other))
})
