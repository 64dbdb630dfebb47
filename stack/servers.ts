import { isDockerAnswering, startKafkaContainer, startPostgresContainer } from './containers.ts'
import { prepareKafka } from './kafka.ts'
import type { Part, PartSpec } from './part.ts'
import { type PostgresOptions, preparePostgres } from './postgres.ts'
import type { Site } from './site.ts'

/** Kafka or PostgreSQL, running, wherever it came from. */
export interface Server {
  /** `host:port,…` of Kafka, a link with password of PostgreSQL. */
  readonly address: string
  /** Of an embedded one's process; null for the others. */
  readonly pid: () => number | null
  /** Leaves alone what is the user's own. */
  readonly stop: () => Promise<void>
}

export interface ServerOptions {
  /** The address that the user gave; null: bring one. */
  readonly given: string | null
  readonly port: number
  /** Makes the part of an embedded one. */
  readonly toPart: (spec: PartSpec) => Part
}

/** What is missing on a machine that may still have Docker. */
const REPLACEABLE = new Set(
  (['NO_JAVA', 'OLD_JAVA', 'NO_MAVEN', 'NO_PLATFORM', 'NO_POSTGRES', 'NO_ACCOUNT'] as const).map(
    what => `SMG_STACK_${what}`
  )
)

/** Gives Kafka: the user's, else an embedded one, else one in a container. @throws what the embedded one lacks */
export async function startKafka(site: Site, { given, port, toPart }: ServerOptions): Promise<Server> {
  if (given) return userServer(given)
  const prepared = await prepareKafka(site, { port }).catch(orNullWithDocker(site))
  if (!prepared) return containerServer(await startKafkaContainer(site, port))

  sayIfMoved(site, { name: 'Kafka', wanted: port, found: prepared.port })
  return startEmbedded(prepared.kafkaBrokers, toPart(prepared.part))
}

/** Gives PostgreSQL: the user's, else an embedded one, else one in a container. @throws what the embedded one lacks */
export async function startPostgres(
  site: Site,
  options: ServerOptions & Pick<PostgresOptions, 'settings'>
): Promise<Server> {
  const { given, port, settings, toPart } = options
  if (given) return userServer(given)
  const prepared = await preparePostgres(site, { port, settings }).catch(orNullWithDocker(site))
  if (!prepared) return containerServer(await startPostgresContainer(site, port))

  sayIfMoved(site, { name: 'PostgreSQL', wanted: port, found: prepared.port })
  if (!prepared.folder.startsWith(site.dataFolder))
    site.log.warn(
      `PostgreSQL cannot reach ${site.dataFolder} as another user than root: its data are in ${prepared.folder}`
    )
  return startEmbedded(prepared.databaseUrl, toPart(prepared.part))
}

async function startEmbedded(address: string, part: Part): Promise<Server> {
  await part.start()
  return { address, pid: () => part.pid, stop: () => part.stop() }
}

function userServer(address: string): Server {
  return { address, pid: () => null, stop: async () => undefined }
}

function containerServer({ address, stop }: { readonly address: string; stop(): Promise<void> }): Server {
  return { address, pid: () => null, stop }
}

function orNullWithDocker({ environment, log }: Site) {
  return async (error: unknown): Promise<null> => {
    const isReplaceable = error instanceof Error && 'code' in error && REPLACEABLE.has(String(error.code))
    if (!isReplaceable || !(await isDockerAnswering(environment))) throw error
    log.warn(error.message)
    return null
  }
}

function sayIfMoved({ log }: Site, { name, wanted, found }: { name: string; wanted: number; found: number }) {
  if (wanted > 0 && wanted !== found) log.warn(`port ${wanted} is taken: ${name} listens on ${found}`)
}
