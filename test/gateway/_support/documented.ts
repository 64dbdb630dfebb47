import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type { App } from '../../../gateway/types.ts'

interface Operation {
  readonly responses: Record<string, { content?: Record<string, { schema: object }> }>
}

/** Checks an answer against the OpenAPI document: its status, its media type and its body. */
export function isDocumented(t: Test, app: App, response: LightMyRequestResponse) {
  const document = app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> }
  const { method = 'GET', url = '' } = response.raw.req
  const path = toPath(document.paths, url.split('?', 1)[0] ?? '')
  const documented = document.paths[path]?.[method.toLowerCase()]?.responses[response.statusCode]
  if (!documented) return t.fail(`${method} ${url} answers ${response.statusCode}, which is not documented`)

  const type = String(response.headers['content-type']).split(';', 1)[0] ?? ''
  const schema = documented.content?.[type]?.schema
  if (!schema) return t.fail(`${method} ${url} answers ${response.statusCode} with ${type}, which is not documented`)
  if (!type.includes('json')) return t.pass(`${method} ${url} answers as documented`)

  const ajv = new Ajv2020({ strict: false })
  formats.default(ajv)
  ajv.addSchema({ ...document, $id: 'openapi' })
  const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components')))
  return t.ok(validate(response.json()), `${method} ${url} ${response.statusCode}: ${JSON.stringify(validate.errors)}`)
}

function toPath(paths: object, path: string): string {
  if (path in paths) return path
  const matches = (pattern: string) => new RegExp(`^${pattern.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(path)
  return Object.keys(paths).find(matches) ?? path
}
