import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Parser } from '@asyncapi/parser'
import t from 'tap'
import { catalogues } from '../../openapi/catalogues.ts'
import { buildDocuments, buildErrorPage } from '../../openapi/documents.ts'
import { REMEDIES } from '../../openapi/remedies.ts'
import { DLQ_HEADERS } from '../../runner/dead-letter-headers.ts'
import { toMirrorTopic } from '../../runner/mirror.ts'
import { loadFunctions } from '../../sdk/load-functions.ts'

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

const functions = await loadFunctions(join(root, 'functions'), { retentionHours: 1 })
const documents = await buildDocuments(join(root, 'functions'))

t.test('openapi.json', async t => {
  const text = documents['openapi.json'] ?? ''
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

t.test('asyncapi.json', async t => {
  const text = documents['asyncapi.json'] ?? ''
  const { document, diagnostics } = await new Parser().parse(text)
  const committed = await readFile(join(root, 'openapi', 'asyncapi.json'), 'utf8')

  t.equal(text, committed, 'run npm run openapi')
  // 0 is an error and 1 a warning; above are hints.
  t.strictSame(
    diagnostics.filter(({ severity }) => severity <= 1).map(({ message, path }) => `${path.join('/')}: ${message}`),
    []
  )
  t.equal(document?.version(), '3.0.0')

  for (const topic of ['user-activities', 'system-metrics', 'error-logs', 'notifications']) {
    t.test(topic, async t => {
      const groupId = `smg.${topic}`
      const mirrorTopic = toMirrorTopic({ groupId, topic }, name => name)
      const channels = document?.channels()
      const [message, letter] = [topic, mirrorTopic].map(name => channels?.get(name)?.messages().get(name))

      t.equal(channels?.get(topic)?.address(), topic)
      t.strictSame(
        document
          ?.operations()
          .all()
          .filter(operation => operation.channels().get(topic))
          .map(one => one.action()),
        ['send', 'receive']
      )
      const event = JSON.parse(JSON.stringify(functions.get(topic)?.event))
      t.match(message?.payload()?.json(), event, 'its events are those of the function')
      t.strictSame(
        Object.keys(letter?.headers()?.properties() ?? {}).toSorted(),
        Object.values(DLQ_HEADERS).toSorted(),
        'dead letters have the headers that the runner writes'
      )
    })
  }
})
