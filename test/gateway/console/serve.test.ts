import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { bundleConsole } from '../../../gateway/console/bundle.ts'
import consolePage from '../../../gateway/console/serve.ts'
import headers from '../../../gateway/plugins/headers.ts'
import { buildApp, settings } from '../_support/build-app.ts'

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

t.test('GET /', async t => {
  const app = await buildApp(t)

  t.test('gives the page, which takes all else from this gateway', async t => {
    const response = await app.inject('/')

    t.equal(response.statusCode, 200)
    t.match(response.headers, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': POLICY,
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      vary: 'accept-encoding'
    })
    const addresses = [...response.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = '']) => address)
    t.ok(addresses.length >= 2)
    for (const address of addresses) t.match(address, /^(\/console\/app-[A-Z0-9]+\.(js|css)|data:image)/)
    t.notMatch(
      response.body,
      /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/i,
      'nothing that the policy would refuse'
    )
  })

  t.test('is asked for again each time, and answers 304 when the client has it', async t => {
    const { etag } = (await app.inject('/')).headers
    const again = await app.inject({ url: '/', headers: { 'if-none-match': `"other", W/${etag}` } })
    const changed = await app.inject({ url: '/', headers: { 'if-none-match': '"other"' } })

    t.match(again, { statusCode: 304, body: '' })
    t.match(again.headers, { etag, 'content-security-policy': POLICY })
    t.equal(changed.statusCode, 200)
  })

  t.test('answers HEAD with the length, and no body', async t => {
    const get = await app.inject('/')
    const head = await app.inject({ method: 'HEAD', url: '/' })

    t.match(head, { statusCode: 200, body: '' })
    t.equal(head.headers['content-length'], get.headers['content-length'])
    t.equal(head.headers.etag, get.headers.etag)
  })

  t.test('is nothing to post to', async t => {
    t.match(await app.inject({ method: 'POST', url: '/' }), { statusCode: 405, headers: { allow: 'GET, HEAD' } })
  })
})

t.test('GET /console/{file}', async t => {
  const app = await buildApp(t)
  const page = (await app.inject('/')).body
  const [script = ''] = /\/console\/app-\w+\.js/.exec(page) ?? []
  const [style = ''] = /\/console\/app-\w+\.css/.exec(page) ?? []

  const files = [
    { url: script, type: 'text/javascript; charset=utf-8' },
    { url: style, type: 'text/css; charset=utf-8' }
  ]
  for (const { url, type } of files) {
    t.test(`gives ${type}, to be kept for good`, async t => {
      const response = await app.inject(url)

      t.match(response, { statusCode: 200 })
      t.match(response.headers, {
        'content-type': type,
        'cache-control': 'public, max-age=31536000, immutable',
        'content-security-policy': POLICY
      })
    })
  }

  const encodings = [
    { accepts: 'gzip, deflate, br', encoding: 'br', decode: brotliDecompressSync },
    { accepts: 'gzip', encoding: 'gzip', decode: gunzipSync },
    { accepts: 'br;q=0, GZIP;q=0.5', encoding: 'gzip', decode: gunzipSync },
    { accepts: 'br;q=0.0, gzip; q=0', encoding: undefined, decode: (body: Buffer) => body },
    { accepts: 'zstd', encoding: undefined, decode: (body: Buffer) => body },
    { accepts: undefined, encoding: undefined, decode: (body: Buffer) => body }
  ]
  const plain = (await app.inject(script)).rawPayload
  for (const { accepts, encoding, decode } of encodings) {
    t.test(`is ${encoding ?? 'plain'} for Accept-Encoding: ${accepts}`, async t => {
      const response = await app.inject({ url: script, headers: accepts ? { 'accept-encoding': accepts } : {} })

      t.equal(response.headers['content-encoding'], encoding)
      t.ok(decode(response.rawPayload).equals(plain), 'the same file')
      t.equal(response.rawPayload.length < plain.length / 2, encoding !== undefined)
    })
  }

  t.test('has another tag in each encoding', async t => {
    const tags = await Promise.all(
      ['br', 'gzip', 'identity'].map(async encoding => {
        const { etag } = (await app.inject({ url: script, headers: { 'accept-encoding': encoding } })).headers
        return etag
      })
    )

    t.equal(new Set(tags).size, 3)
  })

  const strangers = [
    '/console/app-AAAAAAAA.js',
    '/console/index.html',
    '/console/',
    '/console/..%2Fserve.ts',
    '/console/a/b'
  ]
  for (const url of strangers) {
    t.test(`knows no ${url}`, async t => {
      const response = await app.inject(url)

      t.match(response, { statusCode: 404 })
      t.match(response.json(), { code: 'SMG_GATEWAY_NO_ROUTE' })
    })
  }
})

t.test('the pages need a token where PAGES_PUBLIC is false', async t => {
  const security = { ...noLimits, secret: 'q8Zt2xWc5nVb7mKj4hGf1dSa9pOi6uYr', issuer: undefined, audience: undefined }
  const closed = await buildApp(t, { settings: { ...settings, security, pagesPublic: false } })
  const open = await buildApp(t, { settings: { ...settings, security, pagesPublic: true } })
  await closed.ready()

  t.match(await closed.inject('/'), { statusCode: 401 })
  t.match(await closed.inject('/console/app-AAAAAAAA.js'), { statusCode: 401 })
  t.match(await open.inject('/'), { statusCode: 200 })

  const token = closed.jwt.sign({ sub: 'a', scope: 'read' }, { expiresIn: '1m' })
  const headers = { authorization: `Bearer ${token}` }
  const page = await closed.inject({ url: '/', headers })
  t.equal(page.statusCode, 200)
  const [script = ''] = /\/console\/app-\w+\.js/.exec(page.body) ?? []
  t.match(await closed.inject({ url: script, headers }), {
    statusCode: 200,
    headers: { 'cache-control': 'private, max-age=31536000, immutable' }
  })
})

t.test('a build is served as it is, and nothing beside it', async t => {
  const folder = await makeFolder(t)
  await writeFile(join(folder, 'index.html'), '<p>built</p>')
  await writeFile(join(folder, 'app-BUILT1.js'), 'built()')
  await writeFile(join(folder, 'serve.js'), 'not for you')
  const app = Fastify()
  t.teardown(() => app.close())
  app.decorate('isClosing', () => false)
  await app.register(headers)
  await app.register(consolePage, { scope: 'public', folder })

  t.match(await app.inject('/'), { statusCode: 200, body: '<p>built</p>' })
  t.match(await app.inject('/console/app-BUILT1.js'), { statusCode: 200, body: 'built()' })
  t.match(await app.inject('/console/serve.js'), { statusCode: 404 })
})

t.test('the bundle is small, and the same each time', async t => {
  const first = await bundleConsole()
  const second = await bundleConsole()

  t.strictSame([...first.keys()].toSorted(), [...second.keys()].toSorted())
  t.equal(first.size, 3)
  const bytes = [...first.values()].reduce((sum, { length }) => sum + length, 0)
  t.ok(bytes < 300_000, `${bytes} bytes`)
})

const noLimits = { maxRequests: 1_000_000, maxEvents: 1_000_000, windowMs: 1_000 }

async function makeFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'smg-console-'))
  t.teardown(() => rm(folder, { recursive: true }))
  return folder
}
