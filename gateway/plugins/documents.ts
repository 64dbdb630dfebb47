import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifySchema } from 'fastify'
import fp from 'fastify-plugin'
import { ABOUT } from '../documents/about.ts'
import { buildAsyncapi } from '../documents/asyncapi.ts'
import type { Scope } from '../types.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The AsyncAPI document of the topics. */
    asyncapi(): ReturnType<typeof buildAsyncapi>
  }
}

// Nothing inline and nothing from elsewhere. No upgrade to https: on a plain connection the page would be blank.
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

// The colours are the console's own.
const STYLES = ['console/web/styles/tokens.css', 'documents/theme.css']

const info = {
  ...ABOUT,
  summary: 'Functions on Kafka, with their effects in PostgreSQL, exactly once',
  description:
    'Produce events, and read what became of them. An event that was answered with 2xx has its effect exactly once, or is one dead letter. ' +
    'Times are ISO 8601 in UTC, offsets decimal strings, errors problems of RFC 9457 whose codes are listed in errors.md. ' +
    'The topics themselves are described in [AsyncAPI](/asyncapi.json); the [console](/) shows all of it at work.',
  license: { ...ABOUT.license, identifier: 'MIT' }
}

const tags = [
  { name: 'produce', description: 'Events into Kafka: a route a function' },
  { name: 'messages', description: 'Settled events, as they were sent' },
  { name: 'rows', description: 'What the functions made of them' },
  { name: 'dead-letters', description: 'Records that could not be settled' },
  { name: 'operations', description: 'Topics, functions, numbers' },
  { name: 'health', description: 'Probes, open to everybody' }
]

/** Serves `/openapi.json`, `/asyncapi.json`, and Swagger UI at `/docs`. */
export default fp<{ scope: Scope }>(
  async (app, { scope }) => {
    const withOptionalBody = new Set<string>()
    app.addHook('onRoute', ({ url, config }) => {
      if (config?.optionalBody) withOptionalBody.add(url.replace(/:([^/]+)/g, '{$1}'))
    })
    await app.register(swagger, {
      // Every body that has a schema is required, says the package.
      transformObject(document) {
        if (!('openapiObject' in document)) return document.swaggerObject
        const { openapiObject } = document
        for (const path of withOptionalBody) {
          const body = openapiObject.paths?.[path]?.post?.requestBody
          if (body && 'required' in body) body.required = false
        }
        return openapiObject
      },
      openapi: {
        openapi: '3.1.0',
        info,
        servers: [{ url: '/', description: 'this gateway' }],
        tags,
        security: [{ bearer: [] }],
        components: {
          securitySchemes: {
            bearer: {
              type: 'http',
              scheme: 'bearer',
              bearerFormat: 'JWT',
              description:
                'HS256, with `exp`, `sub` and the scopes in `scope`. Not needed where SECURITY_ENABLED is false.'
            }
          }
        }
      },
      refResolver: { buildLocalReference: (json, _base, _fragment, index) => String(json.$id ?? `Schema${index}`) }
    })
    app.addHook('onRoute', route => {
      if (route.url.startsWith('/docs')) route.config = { ...route.config, scope }
    })
    const styles = await Promise.all(STYLES.map(file => readFile(join(import.meta.dirname, '..', file), 'utf8')))
    await app.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_POLICY,
      theme: { title: 'SMG Kafka: the API', css: [{ filename: 'theme.css', content: styles.join('\n') }] },
      uiConfig: {
        // Without the bar of Swagger UI, whose switch knows its own colours only.
        layout: 'BaseLayout',
        defaultModelsExpandDepth: -1,
        displayRequestDuration: true,
        syntaxHighlight: false,
        docExpansion: 'list',
        deepLinking: true,
        tryItOutEnabled: true,
        persistAuthorization: false,
        validatorUrl: null
      }
    })

    // Functions are loaded once.
    const asyncapi = buildAsyncapi(app.functions.values(), app.settings)
    app.decorate('asyncapi', () => asyncapi)

    const schema: FastifySchema & { hide: true } = { hide: true }
    const documents = { '/openapi.json': () => app.swagger(), '/asyncapi.json': () => asyncapi }
    for (const [url, read] of Object.entries(documents)) {
      app.get(url, { config: { scope }, schema }, async (_request, reply) => {
        return reply.type('application/json; charset=utf-8').send(JSON.stringify(read()))
      })
    }
  },
  { name: 'documents' }
)
