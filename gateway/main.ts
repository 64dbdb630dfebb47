import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import { pino } from 'pino'
import { armFailpoints } from '../sdk/failpoints.ts'
import { loadFunctions } from '../sdk/load-functions.ts'
import { createErrorEvents } from '../sdk/telemetry/error-events.ts'
import { tapErrors } from '../sdk/telemetry/tap-errors.ts'
import { buildApp } from './app.ts'
import { readGatewaySettings } from './config.ts'
import { isDriverSlip } from './driver-slip.ts'
import { gatewayErrors } from './errors.ts'
import { openLogDestination } from './log-destination.ts'
import { openLinks } from './open-links.ts'

const RETENTION_HOURS = { development: 1, test: 1, production: 168 }
const CLOSE_TIMEOUT_MS = 30_000
const FIRST_TOPICS_MS = 2_000
/** Between the signal and the closing of what is idle: load balancers look away meanwhile. */
const LINGER_MS = 1_000
const WRONG_SETUP = 2

const { environment, settings, isProduction, functions } = await readSetup().catch(stopForSetup)
const source = `gateway@${hostname()}:${environment.PORT}`
const errors = createErrorEvents({ service: 'gateway', source })
const log = pino(
  {
    name: 'gateway',
    level: environment.LOG_LEVEL ?? (isProduction ? 'info' : 'debug'),
    redact: [
      'req.headers.authorization',
      'headers.authorization',
      'authorization',
      'headers.cookie',
      'headers["idempotency-key"]'
    ]
  },
  tapErrors(openLogDestination(), errors.add)
)
if (isProduction && !settings.security) log.warn('production without security: everybody may do everything')

const links = openOrStop()
// Who asks in the first moment finds the topics there; a Kafka that is away holds the other routes up no longer.
await Promise.race([links.prepareTopics(functions, stopForSetup), sleep(FIRST_TOPICS_MS)])
const app = await buildApp({
  ...{ functions, settings, log, ...links },
  telemetry: { source, errors, intervalMs: environment.TELEMETRY_INTERVAL_MS }
})

closeWithGrace({ delay: CLOSE_TIMEOUT_MS, logger: log, skip: ['uncaughtException'] }, async ({ err, signal }) => {
  if (err) log.error({ err }, 'closing after an error')
  else log.info({ signal }, 'closing')
  app.startClosing()
  // What was sent before is still on its way here, on connections that look idle: closed at once, it would be lost.
  await sleep(LINGER_MS)
  // Answers that are under way come first: they wait for what the producer still sends.
  await app.close()
  await links.close()
})
process.on('uncaughtException', error => {
  // The driver can throw when PostgreSQL goes away under load; its queries are rejected all the same.
  if (isDriverSlip(error)) return log.error({ err: error }, 'the database driver slipped')
  log.fatal({ err: error }, 'uncaught')
  process.exit(1)
})

await app.listen({ host: environment.HOST, port: environment.PORT }).catch(error => {
  stopForSetup(new gatewayErrors.SMG_GATEWAY_PORT_TAKEN(environment.HOST, environment.PORT, error.code))
})

async function readSetup() {
  armFailpoints(process.env.SMG_FAILPOINTS)
  const setup = readGatewaySettings(process.env)
  const { FUNCTIONS_DIR, NODE_ENV } = setup.environment
  const functions = await loadFunctions(FUNCTIONS_DIR, { retentionHours: RETENTION_HOURS[NODE_ENV] })
  return { ...setup, functions }
}

function openOrStop() {
  try {
    return openLinks(environment, log)
  } catch (error) {
    return stopForSetup(error as Error)
  }
}

/** Says what is wrong in one line, without a stack: somebody has to change a setting or a file. */
function stopForSetup(error: Error & { code?: string }): never {
  process.stderr.write(`${error.code ?? error.name}: ${error.message.replaceAll('\n', ' ')}\n`)
  process.exit(WRONG_SETUP)
}
