import { createHmac } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import type { Notice } from '../../../db/queries/alert-turns.ts'
import { readWebhook } from '../../../gateway/alerts/read-webhook.ts'
import { alertRules } from '../../../gateway/alerts/rules.ts'
import { createWebhook, type WebhookSettings } from '../../../gateway/alerts/webhook.ts'
import { until } from '../_support/open-request.ts'
import { startReceiver } from '../_support/webhook-receiver.ts'

const NOW_MS = Date.UTC(2026, 0, 31, 12)
const secret = Buffer.from('0123456789abcdef0123456789abcdef')
const notice: Notice = {
  id: '019c1a2b-3c4d-7e5f-8a6b-7c8d9e0f1a2b',
  name: 'HighConsumerLag',
  severity: 'warning',
  subject: 'user-activities',
  event: 'fired',
  value: 12_345,
  threshold: 10_000,
  atMs: NOW_MS - 5_000,
  episodeMs: NOW_MS,
  summary: 'Many records wait'
}
const open = (
  url: string,
  {
    timeoutMs = 200,
    allowsPrivate = true,
    ...given
  }: Partial<Parameters<typeof createWebhook>[1] & WebhookSettings> = {}
) => createWebhook({ url, secret, allowsPrivate }, { rules: alertRules, now: () => NOW_MS, timeoutMs, ...given })
const never = new AbortController().signal

t.test('posts a notice that its receiver can check', async t => {
  const receiver = await startReceiver(t)

  await open(receiver.url).send(notice, never)

  const [{ headers, text } = { headers: {}, text: '' }] = receiver.received
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`
  t.equal(headers['webhook-signature'], `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`)
  t.match(headers, {
    'webhook-id': notice.id,
    'webhook-timestamp': String(NOW_MS / 1000),
    'content-type': 'application/json'
  })
  t.match(JSON.parse(text), {
    type: 'alert.fired',
    timestamp: '2026-01-31T11:59:55.000Z',
    data: {
      id: notice.id,
      name: 'HighConsumerLag',
      subject: 'user-activities',
      value: 12_345,
      unit: 'records',
      action: /./
    }
  })
})

const refusals = [
  { when: 'it answers 500', status: 500 },
  { when: 'it answers 404', status: 404 },
  { when: 'it sends elsewhere', status: 302 }
]
for (const { when, status } of refusals) {
  t.test(`has not arrived when ${when}`, async t => {
    const elsewhere = await startReceiver(t)
    const receiver = await startReceiver(t, response =>
      response.writeHead(status, { location: elsewhere.url }).end('x')
    )

    await t.rejects(open(receiver.url).send(notice, never), {
      code: 'SMG_GATEWAY_WEBHOOK_REFUSED',
      message: `${status}`
    })
    t.equal(elsewhere.received.length, 0)
  })
}

t.test('has not arrived when it offers another protocol', async t => {
  const receiver = await startReceiver(t, ({ socket }) => {
    socket?.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
  })

  await t.rejects(open(receiver.url, { timeoutMs: 10_000 }).send(notice, never), {
    code: 'SMG_GATEWAY_WEBHOOK_REFUSED'
  })
})

t.test('says nothing of what a receiver sent that does not speak HTTP', async t => {
  const server = createServer(socket => {
    socket.once('data', request => socket.end(`SSH-2.0 ${request}${'x'.repeat(60_000)}`))
  })
  t.teardown(() => server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  const error: Error & { code?: string } = await open(`http://127.0.0.1:${port}/T0KEN`, { timeoutMs: 10_000 })
    .send(notice, never)
    .then(
      () => new Error('it has arrived'),
      thrown => thrown
    )

  const logged = JSON.stringify(pino.stdSerializers.err(error))
  t.match(error.code, /^HPE_/)
  t.ok(logged.length < 2_000, 'a line of the log')
  t.notMatch(logged, /T0KEN|rawPacket/)
})

t.test('waits for no answer that does not come, and reads none that does not end', async t => {
  const hanging = await startReceiver(t, () => undefined)
  let isCut = false
  const endless = await startReceiver(t, response => {
    response.once('close', () => {
      isCut = true
    })
    response.writeHead(200).write('x')
  })

  await t.rejects(open(hanging.url).send(notice, never), { name: 'TimeoutError' })
  await open(endless.url, { timeoutMs: 10_000 }).send(notice, never)
  t.equal(endless.received.length, 1)
  await until(() => isCut)
})

t.test('rejects when nobody listens, and when the gateway closes', async t => {
  const closing = new AbortController()
  const [hanging, receiver] = [await startReceiver(t, () => undefined), await startReceiver(t)]
  const sending = open(hanging.url, { timeoutMs: 10_000 }).send(notice, closing.signal)

  closing.abort()

  await t.rejects(sending, { name: 'AbortError' })
  await t.rejects(open(receiver.url).send(notice, closing.signal), { name: 'AbortError' })
  t.equal(receiver.received.length, 0, 'nor does it begin')
  await t.rejects(open('http://127.0.0.1:9/T0KEN').send(notice, never), { message: /^(?!.*T0KEN)/s })
})

t.test('leaves nothing on the signal of a gateway that goes on', async t => {
  const closing = new AbortController()
  const receiver = await startReceiver(t)

  await open(receiver.url).send(notice, closing.signal)

  await until(() => getEventListeners(closing.signal, 'abort').length === 0)
})

t.test('speaks TLS where the address says so', async t => {
  const receiver = await startReceiver(t)

  await t.rejects(open(receiver.url.replace('http:', 'https:')).send(notice, never), { code: 'EPROTO' })
  t.equal(receiver.received.length, 0)
})

t.test('an address that is not public', async t => {
  const receiver = await startReceiver(t)
  const toLoopback = (host: string) => receiver.url.replace('127.0.0.1', host)
  const hosts = ['127.0.0.1', '2130706433', '[::ffff:127.0.0.1]', '[::1]', 'localhost']

  for (const host of hosts) {
    t.test(`is not connected to as ${host}`, async t => {
      const { send } = open(toLoopback(host), { allowsPrivate: false, timeoutMs: 10_000 })

      await t.rejects(send(notice, never), { code: 'SMG_GATEWAY_WEBHOOK_PRIVATE' })
      t.equal(receiver.received.length, 0)
    })
  }

  t.test('is not connected to as a name that leads there by now', async t => {
    const asked: string[] = []
    const { send } = open(toLoopback('alerts.example'), {
      allowsPrivate: false,
      timeoutMs: 10_000,
      resolve(hostname, _options, callback) {
        asked.push(hostname)
        callback(null, [{ address: '127.0.0.1', family: 4 }])
      }
    })

    await t.rejects(send(notice, never), { code: 'SMG_GATEWAY_WEBHOOK_PRIVATE' })
    t.strictSame(asked, ['alerts.example'], 'by the connection itself, and by nobody before it')
    t.equal(receiver.received.length, 0)
  })

  t.test('is connected to where it is allowed', async t => {
    await open(toLoopback('localhost')).send(notice, never)

    t.equal(receiver.received.length, 1)
  })
})

t.test('the secret', async t => {
  const folder = t.testdir({ plain: `${secret}\n`, short: 'x'.repeat(23), empty: '' })
  const url = 'https://example.org/hook'
  writeFileSync(join(folder, 'standard'), `whsec_${secret.toString('base64')}`)
  const read = (file?: string) =>
    readWebhook({
      ALERT_WEBHOOK_URL: url,
      ALERT_WEBHOOK_PRIVATE: false,
      ...(file && { ALERT_WEBHOOK_SECRET_FILE: join(folder, file) })
    })

  t.equal(readWebhook({ ALERT_WEBHOOK_PRIVATE: false }), null)
  t.strictSame(read('plain'), { url, secret, allowsPrivate: false })
  t.strictSame(read('standard'), { url, secret, allowsPrivate: false })
  for (const file of [undefined, 'short', 'empty', 'missing']) {
    t.throws(() => read(file), { code: 'SMG_GATEWAY_BAD_SETTING', message: /^ALERT_WEBHOOK_SECRET_FILE is / })
  }
})

for (const [url, what] of [
  ['https://user:hunter2@example.org/hook', 'an address with a user or a password'],
  ['https://example.org:99999/T0KEN', 'no address'],
  ['https://[fd00::7]/T0KEN', 'an address that is not public']
] as const) {
  t.test(`refuses ${what} at the start, and quotes nothing of it`, async t => {
    const file = join(t.testdir({ secret: '0123456789abcdef0123456789abcdef' }), 'secret')
    const given = { ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_SECRET_FILE: file, ALERT_WEBHOOK_PRIVATE: false }
    const read = () => readWebhook(given)

    t.throws(read, { code: 'SMG_GATEWAY_BAD_SETTING', message: what })
    t.throws(read, { message: /^(?!.*(hunter2|T0KEN|fd00))/s })
  })
}

t.test('takes an address that is not public where it is allowed', async t => {
  const file = join(t.testdir({ secret: '0123456789abcdef0123456789abcdef' }), 'secret')
  const url = 'http://127.0.0.1:8080/'
  const given = { ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_SECRET_FILE: file, ALERT_WEBHOOK_PRIVATE: true }

  t.match(readWebhook(given), { url, allowsPrivate: true })
})
