import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { gatewayErrors } from '../errors.ts'
import type { Scope } from '../types.ts'
import { type Asset, loadAssets } from './assets.ts'
import { pickEncoding } from './pick-encoding.ts'

// Everything comes from this gateway, and nothing of it is written inside the page.
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

const YEAR_S = 31_536_000

interface ConsoleOptions {
  readonly scope: Scope
  /** Where a build left its files; they are bundled at the first request when there are none. */
  readonly folder?: string
}

/** Serves the console: its page at `/`, and at `/console/` what the page is made of, out of memory. */
export default fp<ConsoleOptions>(
  async (app, { scope, folder = import.meta.dirname }) => {
    let loaded: Promise<ReadonlyMap<string, Asset>> | null = null
    const schema = { hide: true } as const

    app.get('/', { config: { scope }, schema }, async (request, reply) => {
      return send(await find('index.html'), request, reply, 'no-cache')
    })
    app.get<{ Params: { file: string } }>('/console/:file', { config: { scope }, schema }, async (request, reply) => {
      const { file } = request.params
      if (file === 'index.html') throw new gatewayErrors.SMG_GATEWAY_NO_ROUTE()
      // Its name changes with its content. Behind a token it is nobody else's to keep.
      const cacheControl = `${scope === 'public' ? 'public' : 'private'}, max-age=${YEAR_S}, immutable`
      return send(await find(file), request, reply, cacheControl)
    })

    async function find(name: string): Promise<Asset> {
      loaded ??= loadAssets(folder).catch(error => {
        loaded = null // the next request tries again: it may be a file that is being edited
        throw error
      })
      const asset = (await loaded).get(name)
      if (!asset) throw new gatewayErrors.SMG_GATEWAY_NO_ROUTE()
      return asset
    }
  },
  { name: 'console', dependencies: ['headers'] }
)

function send({ type, bodies, hash }: Asset, request: FastifyRequest, reply: FastifyReply, cacheControl: string) {
  const encoding = pickEncoding(request.headers['accept-encoding'])
  const etag = `"${hash}-${encoding}"`
  reply.headers({
    'content-security-policy': PAGE_POLICY,
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': cacheControl,
    vary: 'accept-encoding',
    etag
  })
  if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send()

  if (encoding !== 'identity') reply.header('content-encoding', encoding)
  return reply.type(type).send(bodies[encoding])
}

/** Whether the client has it already (RFC 9110 section 13.1.2). */
function isKnown(condition: string | undefined, etag: string): boolean {
  const tags = (condition ?? '').split(',').map(tag => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}
