import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { stackErrors } from './errors.ts'
import { isKafkaReady } from './kafka-probe.ts'
import { runTask } from './run-task.ts'
import type { Site } from './site.ts'
import { writeFileAtomically } from './write-file.ts'

/** A server in a container, running. */
export interface Container {
  /** `host:port` of Kafka, a link with password of PostgreSQL. */
  readonly address: string
  /** Stops it; its data stay in a volume. */
  stop(): Promise<void>
}

const FILE = join(import.meta.dirname, 'containers.yml')
const ANSWER_TIMEOUT_MS = 5_000
const READY_TIMEOUT_MS = 60_000

/** Says whether there is a Docker with compose, and an engine behind it. */
export async function isDockerAnswering(environment: NodeJS.ProcessEnv): Promise<boolean> {
  const ask = (...args: string[]) =>
    promisify(execFile)('docker', args, { env: environment, timeout: ANSWER_TIMEOUT_MS })
  try {
    await Promise.all([ask('compose', 'version'), ask('version', '--format', '{{.Server.Version}}')])
    return true
  } catch {
    return false
  }
}

/** Starts Kafka in a container. @throws SMG_STACK_NO_DOCKER */
export async function startKafkaContainer(site: Site, preferredPort: number): Promise<Container> {
  const compose = await createCompose(site, 'kafka')
  const port = await site.findPort(preferredPort)
  const stop = await compose.up({ KAFKA_PORT: String(port) })

  const deadline = Date.now() + READY_TIMEOUT_MS
  while (!(await isKafkaReady(port))) {
    if (site.shutdown.aborted || Date.now() > deadline) {
      await stop()
      throw new stackErrors.SMG_STACK_NO_DOCKER('kafka', `no answer on port ${port}`)
    }
    await sleep(200)
  }
  return { address: `127.0.0.1:${port}`, stop }
}

/** Starts PostgreSQL in a container. @throws SMG_STACK_NO_DOCKER */
export async function startPostgresContainer(site: Site, preferredPort: number): Promise<Container> {
  const compose = await createCompose(site, 'postgres')
  const port = await site.findPort(preferredPort)
  const password = readPassword(site.dataFolder)
  const stop = await compose.up({ POSTGRES_PORT: String(port), POSTGRES_PASSWORD: password })
  return { address: `postgres://smg:${password}@127.0.0.1:${port}/smg`, stop }
}

async function createCompose({ dataFolder, environment, records, shutdown, log }: Site, service: string) {
  // One project a data folder and service: two checkouts do not meet, and neither do the two services' stops.
  const project = `smg-stack-${createHash('sha256').update(dataFolder).digest('hex').slice(0, 8)}-${service}`
  const run = async (args: readonly string[], variables: NodeJS.ProcessEnv, signal: AbortSignal) => {
    const unused = { KAFKA_PORT: '9092', POSTGRES_PORT: '5432', POSTGRES_PASSWORD: '-' }
    const env = { ...environment, ...unused, ...variables }
    const command = { file: 'docker', args: ['compose', '-p', project, '-f', FILE, ...args], cwd: dataFolder, env }
    await runTask(command, { name: `docker compose ${args[0]}`, records, shutdown: signal }).catch(error => {
      throw new stackErrors.SMG_STACK_NO_DOCKER(service, error.message, { cause: error })
    })
  }
  const down = () => run(['down', '--timeout', '5'], {}, new AbortController().signal)

  // One that a kill left behind holds its port.
  await down()
  return {
    async up(variables: NodeJS.ProcessEnv) {
      log.info(`starts ${service} in a container`)
      await run(['up', '-d', '--wait', service], variables, shutdown)
      return down
    }
  }
}

function readPassword(dataFolder: string): string {
  const file = join(dataFolder, 'containers', 'password')
  mkdirSync(join(dataFolder, 'containers'), { recursive: true, mode: 0o700 })
  if (!existsSync(file)) writeFileAtomically(file, randomBytes(24).toString('base64url'))
  return readFileSync(file, 'utf8')
}
