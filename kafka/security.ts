import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { SASLOptions } from 'kafkajs'
import type { KafkaSettings } from './config.ts'
import { kafkaErrors } from './errors.ts'

/** TLS as `tls.connect` takes it. */
export interface TlsOptions {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}):/
const FILES = ['KAFKA_SSL_CA_FILE', 'KAFKA_SSL_CERT_FILE', 'KAFKA_SSL_KEY_FILE'] as const

/**
 * Reads the TLS files of the settings; undefined without TLS.
 *
 * @throws SMG_KAFKA_BAD_SETTING for a file that cannot be read or is no PEM, half a pair, or a file without KAFKA_SSL
 */
export function loadTls(settings: KafkaSettings): TlsOptions | undefined {
  const given = FILES.filter(name => settings[name])
  if (!settings.KAFKA_SSL) {
    const [first] = given
    if (first) throw new kafkaErrors.SMG_KAFKA_BAD_SETTING(first, 'it is set, and KAFKA_SSL is not true')
    return undefined
  }
  const [ca, cert, key] = FILES.map(name => loadPem(name, settings[name]))
  if (!cert !== !key) {
    throw new kafkaErrors.SMG_KAFKA_BAD_SETTING('KAFKA_SSL_CERT_FILE, KAFKA_SSL_KEY_FILE', 'both or neither are needed')
  }
  const options = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  checkContext(given.join(', '), options)
  return options
}

/**
 * Gives the credentials of the settings; undefined without SASL.
 *
 * @throws SMG_KAFKA_BAD_SETTING when one is missing, or when `plain` would send the password in the clear to another machine
 */
export function toSasl(settings: KafkaSettings): SASLOptions | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = settings
  if (!mechanism) {
    if (!username && !password) return undefined
    throw new kafkaErrors.SMG_KAFKA_BAD_SETTING('KAFKA_SASL_MECHANISM', 'it is needed with a user name or password')
  }
  if (!username) throw new kafkaErrors.SMG_KAFKA_BAD_SETTING('KAFKA_SASL_USERNAME', `${mechanism} needs it`)
  if (!password) throw new kafkaErrors.SMG_KAFKA_BAD_SETTING('KAFKA_SASL_PASSWORD', `${mechanism} needs it`)

  if (mechanism === 'plain' && !settings.KAFKA_SSL && !settings.KAFKA_BROKERS.split(',').every(isLoopback)) {
    throw new kafkaErrors.SMG_KAFKA_BAD_SETTING('KAFKA_SASL_MECHANISM', 'plain needs KAFKA_SSL=true, or a scram-sha')
  }
  return { mechanism, username, password }
}

function isLoopback(broker: string): boolean {
  return LOOPBACK.test(broker)
}

function loadPem(name: string, file: string | undefined): string | undefined {
  if (!file) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new kafkaErrors.SMG_KAFKA_BAD_SETTING(name, `${file} cannot be read`, { cause: error })
  }
}

function checkContext(names: string, options: TlsOptions): void {
  try {
    createSecureContext(options)
  } catch (error) {
    throw new kafkaErrors.SMG_KAFKA_BAD_SETTING(names, 'no usable PEM, or key and certificate differ', { cause: error })
  }
}
