import { once } from 'node:events'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { createPortFinder, isFree } from '../../stack/ports.ts'

async function listen(t: Test, port = 0): Promise<number> {
  const server = createServer().listen(port, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

t.test('gives the port that is wanted when it is free', async t => {
  const findPort = createPortFinder()
  const free = await findPort(0)

  t.equal(await createPortFinder()(free), free)
})

t.test('gives a later one when it is taken', async t => {
  const taken = await listen(t)

  const found = await createPortFinder()(taken)

  t.ok(found > taken, `${found} for ${taken}`)
  t.ok(await isFree(found))
})

t.test('gives no port twice, although nobody listens yet', async t => {
  const findPort = createPortFinder()
  const first = await findPort(0)

  t.not(await findPort(first), first)
  const atOnce = await Promise.all([findPort(first), findPort(first), findPort(0), findPort(0)])
  t.equal(new Set(atOnce).size, 4, String(atOnce))
})

t.test('gives any port when the wanted ones end', async t => {
  const findPort = createPortFinder()
  await findPort(65_535)

  const found = await findPort(65_535)

  t.ok(found > 1023 && found < 65_535, String(found))
})
