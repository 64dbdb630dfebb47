import { Type } from '@sinclair/typebox'
import t from 'tap'
import { toSchemaRows, toType } from '../../../../gateway/console/web/schema-rows.ts'
import { functions } from '../../_support/build-app.ts'

t.test('reads the schema of every function that ships', async t => {
  for (const [topic, { event }] of functions) {
    const rows = toSchemaRows(event)

    t.strictSame(
      rows.filter(({ depth }) => depth === 0).map(({ name }) => name),
      Object.keys(event.properties),
      topic
    )
    t.strictSame(
      rows
        .filter(({ isRequired }) => isRequired)
        .map(({ name }) => name)
        .sort(),
      [...event.required].sort()
    )
  }
})

t.test('says the rules in words, and goes into objects and lists', async t => {
  const rows = toSchemaRows(
    Type.Object({
      name: Type.String({ minLength: 1, maxLength: 64, description: 'who it is' }),
      lines: Type.Optional(Type.Array(Type.Object({ count: Type.Integer({ minimum: 0 }) }), { maxItems: 9 }))
    })
  )

  t.match(rows, [
    {
      path: 'name',
      depth: 0,
      type: 'string',
      isRequired: true,
      rules: ['at least 1 character', 'at most 64 characters'],
      description: 'who it is'
    },
    { path: 'lines', type: 'object[]', isRequired: false, rules: ['at most 9 items'] },
    { path: 'lines[].count', name: 'count', depth: 1, type: 'integer', isRequired: true, rules: ['≥ 0'] }
  ])
})

const types = [
  { schema: Type.Union([Type.Literal('a'), Type.Literal('b')]), type: '"a" | "b"' },
  { schema: { enum: ['a', 1] }, type: '"a" | 1' },
  { schema: Type.Array(Type.Union([Type.String(), Type.Null()])), type: '(string | null)[]' },
  { schema: Type.Unknown(), type: 'any JSON' },
  { schema: { type: ['string', 'null'] }, type: 'string | null' }
]
for (const { schema, type } of types) {
  t.test(`calls it ${type}`, async t => t.equal(toType(schema as Record<string, unknown>), type))
}

t.test('what is no schema has no rows', async t => {
  for (const schema of [null, 'x', [], {}, { properties: [] }]) t.strictSame(toSchemaRows(schema), [])
})

t.test('a schema without an end has one', async t => {
  const endless: { properties: Record<string, unknown> } = { properties: {} }
  endless.properties.again = endless

  t.ok(toSchemaRows(endless).length < 20)
})
