import t from 'tap'
import { readGatewaySettings } from '../../gateway/config.ts'

const links = { KAFKA_BROKERS: 'k:9092', DATABASE_URL: 'postgres://u:p@db:5432/smg' }
const secret = 'c2VjcmV0LXRoYXQtbm9ib2R5LWtub3dzLWJ1dC11cw'
const production = { ...links, NODE_ENV: 'production' }

t.test('is open in development and closed in production', async t => {
  t.equal(readGatewaySettings(links).settings.security, null)
  t.match(readGatewaySettings({ ...production, JWT_SECRET: ` ${secret}\n` }).settings.security, {
    secret,
    maxRequests: 1000,
    maxEvents: 50_000,
    windowMs: 1000
  })
})

const refused = [
  {
    when: 'the address of the webhook is none, and it is not shown',
    source: { ...links, ALERT_WEBHOOK_URL: 'ftp://token@host/' },
    code: 'SMG_SDK_BAD_SETTING',
    message: /^ALERT_WEBHOOK_URL is set to something else; it may be an address with http/
  },
  {
    when: 'a webhook has no secret',
    source: { ...links, ALERT_WEBHOOK_URL: 'https://host/' },
    code: 'SMG_GATEWAY_BAD_SETTING',
    message: /^ALERT_WEBHOOK_SECRET_FILE is not set/
  },
  {
    when: 'a variable is missing',
    source: { DATABASE_URL: links.DATABASE_URL },
    code: 'SMG_SDK_BAD_SETTING',
    message: /KAFKA_BROKERS is not set/
  },
  {
    when: 'a number is none',
    source: { ...links, PORT: 'x' },
    code: 'SMG_SDK_BAD_SETTING',
    message: /PORT is "x"; it may be a whole number from 0 to 65535/
  },
  {
    when: 'security has no secret',
    source: production,
    code: 'SMG_GATEWAY_BAD_SETTING',
    message: /JWT_SECRET is not set/
  },
  {
    when: 'the secret is short',
    source: { ...production, JWT_SECRET: 'x3K9'.repeat(7) },
    code: 'SMG_GATEWAY_BAD_SETTING',
    message: /JWT_SECRET is too short/
  },
  {
    when: 'the secret is well known',
    source: { ...production, JWT_SECRET: 'your-256-bit-secret'.repeat(2) },
    code: 'SMG_GATEWAY_BAD_SETTING',
    message: /well known/
  },
  {
    when: 'the secret is one letter',
    source: { ...production, JWT_SECRET: 'a'.repeat(64) },
    code: 'SMG_GATEWAY_BAD_SETTING',
    message: /well known/
  },
  {
    when: 'production is opened by one variable only',
    source: { ...production, SECURITY_ENABLED: 'false' },
    code: 'SMG_GATEWAY_BAD_SETTING',
    message: /ALLOW_INSECURE_PRODUCTION=true/
  }
]

for (const { when, source, code, message } of refused) {
  t.test(`stops the start when ${when}`, async t => {
    t.throws(() => readGatewaySettings(source), { code, message })
  })
}

t.test('never names a secret', async t => {
  const JWT_SECRET = 'canary-1'
  const source = { ...production, JWT_SECRET, DATABASE_URL: 'mysql://canary-2' }

  for (const given of [source, { ...source, DATABASE_URL: links.DATABASE_URL }]) {
    try {
      readGatewaySettings(given)
      t.fail('it was taken')
    } catch (error) {
      t.notMatch(JSON.stringify([error, (error as Error).message]), /canary/)
    }
  }
})

t.test('opens production by two variables', async t => {
  const source = { ...production, SECURITY_ENABLED: 'false', ALLOW_INSECURE_PRODUCTION: 'true' }
  t.equal(readGatewaySettings(source).settings.security, null)
})

const urls = [
  { url: 'postgres://u:p@127.0.0.1:5432/smg', isLocal: true },
  { url: 'postgres://localhost/smg', isLocal: true },
  { url: 'postgresql://u:p@[::1]:5432/smg', isLocal: true },
  { url: 'postgres:///smg', isLocal: true },
  { url: 'postgres://u:p@db.example.com/smg', isLocal: false },
  { url: 'postgres://localhost:x@db/smg', isLocal: false },
  { url: 'postgres://127.0.0.1.example.com/smg', isLocal: false }
]

for (const { url, isLocal } of urls) {
  t.test(`takes ${url} for ${isLocal ? 'this machine' : 'another machine'}`, async t => {
    t.equal(readGatewaySettings({ ...links, DATABASE_URL: url }).settings.databaseIsLocal, isLocal)
  })
}
