import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Notice } from '../../../db/queries/alert-turns.ts'
import { readWebhook } from '../../../gateway/alerts/read-webhook.ts'
import { alertRules } from '../../../gateway/alerts/rules.ts'
import { createWebhook } from '../../../gateway/alerts/webhook.ts'
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
const open = (url: string, timeoutMs = 200) =>
  createWebhook({ url, secret }, { rules: alertRules, now: () => NOW_MS, timeoutMs })
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

t.test('waits for no answer that does not come, and reads none that does not end', async t => {
  const hanging = await startReceiver(t, () => undefined)
  const endless = await startReceiver(t, response => void response.writeHead(200).write('x'))

  await t.rejects(open(hanging.url).send(notice, never), { name: 'TimeoutError' })
  await open(endless.url).send(notice, never)
  t.equal(endless.received.length, 1)
})

t.test('rejects when nobody listens, and when the gateway closes', async t => {
  const closing = new AbortController()
  const hanging = await startReceiver(t, () => undefined)
  const sending = open(hanging.url, 10_000).send(notice, closing.signal)

  closing.abort()

  await t.rejects(sending, { name: 'AbortError' })
  await t.rejects(open('http://127.0.0.1:9/').send(notice, never))
})

t.test('the secret', async t => {
  const folder = t.testdir({ plain: `${secret}\n`, short: 'x'.repeat(23), empty: '' })
  const url = 'http://127.0.0.1/'
  writeFileSync(join(folder, 'standard'), `whsec_${secret.toString('base64')}`)
  const read = (file?: string) =>
    readWebhook({ ALERT_WEBHOOK_URL: url, ...(file && { ALERT_WEBHOOK_SECRET_FILE: join(folder, file) }) })

  t.equal(readWebhook({}), null)
  t.strictSame(read('plain'), { url, secret })
  t.strictSame(read('standard'), { url, secret })
  for (const file of [undefined, 'short', 'empty', 'missing']) {
    t.throws(() => read(file), { code: 'SMG_GATEWAY_BAD_SETTING', message: /^ALERT_WEBHOOK_SECRET_FILE is / })
  }
})

for (const [url, what] of [
  ['https://user:hunter2@example.org/hook', 'an address with a user or a password'],
  ['https://example.org:99999/T0KEN', 'no address']
] as const) {
  t.test(`refuses ${what} at the start, and quotes nothing of it`, async t => {
    const file = join(t.testdir({ secret: '0123456789abcdef0123456789abcdef' }), 'secret')
    const read = () => readWebhook({ ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_SECRET_FILE: file })

    t.throws(read, { code: 'SMG_GATEWAY_BAD_SETTING', message: what })
    t.throws(read, { message: /^(?!.*(hunter2|T0KEN))/s })
  })
}
