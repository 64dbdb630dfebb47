import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { catalogues } from '../../openapi/catalogues.ts'
import { buildErrorPage, buildOpenapi } from '../../openapi/documents.ts'
import { REMEDIES } from '../../openapi/remedies.ts'

const root = join(import.meta.dirname, '..', '..')
const codes = Object.values(catalogues).flatMap(catalogue => Object.keys(catalogue))

t.test('errors.md has every code of every catalogue, each with a remedy, and no other', async t => {
  const page = await readFile(join(root, 'openapi', 'errors.md'), 'utf8')
  const listed = [...page.matchAll(/^\| `(SMG_[A-Z_]+)`/gm)].map(([, code]) => code)

  t.strictSame(listed.toSorted(), codes.toSorted())
  t.strictSame(Object.keys(REMEDIES).toSorted(), codes.toSorted())
  t.equal(page, buildErrorPage(), 'run npm run openapi')
})

t.test('a key of a catalogue is the code of its error, and begins with its room', async t => {
  for (const [room, catalogue] of Object.entries(catalogues)) {
    for (const [key, CodedError] of Object.entries(catalogue)) {
      t.match(new CodedError(), { code: key })
      t.match(key, new RegExp(`^SMG_${room.toUpperCase()}_[A-Z_]+$`))
    }
  }
})

t.test('openapi.json', async t => {
  const text = await buildOpenapi(join(root, 'functions'))
  const document = JSON.parse(text)
  const operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation }))
  )

  t.equal(text, await readFile(join(root, 'openapi', 'openapi.json'), 'utf8'), 'run npm run openapi')
  t.equal(document.openapi, '3.1.0')
  t.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
  for (const { name, operationId, tags, description, summary, security, responses } of operations) {
    t.ok(operationId && description && summary && tags?.length === 1, name)
    t.ok(security, `${name} says who may call it`)
    t.ok(responses['400'] && responses['401'] && responses['429'] && responses['500'], name)
  }
  for (const topic of ['user-activities', 'system-metrics', 'error-logs', 'notifications']) {
    t.ok(document.paths[`/api/produce/${topic}`] && document.paths[`/api/produce/${topic}/batch`], topic)
  }
})

interface Operation {
  readonly operationId?: string
  readonly tags?: string[]
  readonly description?: string
  readonly summary?: string
  readonly security?: object[]
  readonly responses: Record<string, unknown>
}
