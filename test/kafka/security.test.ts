import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import type { KafkaSettings } from '../../kafka/config.ts'
import { loadTls, toSasl } from '../../kafka/security.ts'

const settings: KafkaSettings = {
  KAFKA_BROKERS: 'kafka.example:9093',
  KAFKA_SSL: false,
  TOPIC_PREFIX: '',
  GROUP_PREFIX: 'smg.',
  TOPIC_CREATE: true
}
const folder = t.testdir({ 'broken.pem': 'no certificate' })
const brokenFile = join(folder, 'broken.pem')

const broken: { when: string; given: Partial<KafkaSettings>; message: RegExp }[] = [
  {
    when: 'a file is given without TLS',
    given: { KAFKA_SSL_CA_FILE: 'ca.pem' },
    message: /CA_FILE: .*KAFKA_SSL is not true/
  },
  {
    when: 'a file is not there',
    given: { KAFKA_SSL: true, KAFKA_SSL_CA_FILE: '/no/ca.pem' },
    message: /CA_FILE: \/no\/ca.pem/
  },
  {
    when: 'a certificate has no key',
    given: { KAFKA_SSL: true, KAFKA_SSL_CERT_FILE: brokenFile },
    message: /KEY_FILE/
  },
  {
    when: 'a file is no PEM',
    given: { KAFKA_SSL: true, KAFKA_SSL_CERT_FILE: brokenFile, KAFKA_SSL_KEY_FILE: brokenFile },
    message: /no usable PEM/
  },
  { when: 'a user has no mechanism', given: { KAFKA_SASL_USERNAME: 'ada' }, message: /KAFKA_SASL_MECHANISM/ },
  {
    when: 'the password is missing',
    given: { KAFKA_SASL_MECHANISM: 'scram-sha-256', KAFKA_SASL_USERNAME: 'ada' },
    message: /KAFKA_SASL_PASSWORD/
  },
  {
    when: 'a password would cross the network in the clear',
    given: { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'ada', KAFKA_SASL_PASSWORD: 'lovelace' },
    message: /plain needs KAFKA_SSL=true/
  },
  {
    when: 'only one of the brokers is on this machine',
    given: {
      KAFKA_BROKERS: 'localhost:9092,kafka.example:9092',
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'ada',
      KAFKA_SASL_PASSWORD: 'lovelace'
    },
    message: /plain needs KAFKA_SSL=true/
  }
]

for (const { when, given, message } of broken) {
  t.test(`stops the start when ${when}`, async t => {
    const all = { ...settings, ...given }
    const load = () => [loadTls(all), toSasl(all)]

    t.throws(load, { code: 'SMG_KAFKA_BAD_SETTING', message })
    try {
      load()
    } catch (error) {
      t.notMatch(String(error), 'lovelace', 'the password is in no message')
    }
  })
}

const user = { KAFKA_SASL_USERNAME: 'ada', KAFKA_SASL_PASSWORD: 'lovelace' }
const fine: { when: string; given: Partial<KafkaSettings>; mechanism: string | undefined }[] = [
  { when: 'no security is asked for', given: {}, mechanism: undefined },
  {
    when: 'plain goes over TLS',
    given: { ...user, KAFKA_SSL: true, KAFKA_SASL_MECHANISM: 'plain' },
    mechanism: 'plain'
  },
  {
    when: 'scram goes without TLS',
    given: { ...user, KAFKA_SASL_MECHANISM: 'scram-sha-512' },
    mechanism: 'scram-sha-512'
  },
  {
    when: 'plain stays on this machine',
    given: { ...user, KAFKA_SASL_MECHANISM: 'plain', KAFKA_BROKERS: '127.0.0.1:9092,localhost:9093' },
    mechanism: 'plain'
  }
]

for (const { when, given, mechanism } of fine) {
  t.test(`gives the credentials when ${when}`, async t => {
    t.equal(toSasl({ ...settings, ...given })?.mechanism, mechanism)
  })
}

t.test('gives TLS without files as the trust of this machine', async t => {
  t.strictSame(loadTls({ ...settings, KAFKA_SSL: true }), {})
  t.equal(loadTls(settings), undefined)
})

t.test('gives what the files hold', async t => {
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const command = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=smg',
    '-keyout',
    keyFile,
    '-out',
    certFile
  ]
  execFileSync('openssl', command, { stdio: 'ignore' })
  const files = { KAFKA_SSL_CA_FILE: certFile, KAFKA_SSL_CERT_FILE: certFile, KAFKA_SSL_KEY_FILE: keyFile }

  const options = loadTls({ ...settings, KAFKA_SSL: true, ...files })

  t.match(options, { ca: /BEGIN CERTIFICATE/, cert: /BEGIN CERTIFICATE/, key: /BEGIN PRIVATE KEY/ })
})
