import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Account, findServerAccount, reachableFolder, reachablePrograms } from './account.ts'
import { stackErrors } from './errors.ts'
import { rotateLogFile } from './log-file.ts'
import type { PartSpec } from './part.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { clearPostmaster, isPostmasterReady } from './postmaster.ts'
import { runTask } from './run-task.ts'
import type { Site } from './site.ts'
import { writeFileAtomically } from './write-file.ts'

export interface PostgresOptions {
  readonly port: number
  /** Further settings for the server, such as `fsync=off`. */
  readonly settings?: readonly string[]
}

/** A server that is prepared and not started. */
interface PreparedPostgres {
  readonly databaseUrl: string
  readonly port: number
  /** Where its data are; elsewhere than in the data folder when the server's user cannot reach that. */
  readonly folder: string
  readonly part: PartSpec
}

/** The database and its owner. */
const NAME = 'smg'
const STOP_DEADLINE_MS = 2_000

/**
 * Makes an embedded PostgreSQL ready to start, with its own database on first use. The server is started directly and not
 * by pg_ctl: so its pid is known, recorded and watched from the first moment; ready means what `pg_ctl -w` waits for.
 *
 * @throws SMG_STACK_NO_PLATFORM | SMG_STACK_NO_POSTGRES | SMG_STACK_BROKEN_POSTGRES | SMG_STACK_NO_ACCOUNT |
 *   SMG_STACK_TASK_FAILED
 */
export async function preparePostgres(site: Site, { port: preferredPort, settings = [] }: PostgresOptions) {
  const account = findServerAccount()
  const binaries = findPostgresBinaries()
  const programs = join(account ? reachablePrograms(binaries.folder, binaries.version) : binaries.folder, 'bin')
  const place = join(site.dataFolder, 'postgres')
  const folder = account ? reachableFolder(place) : place
  const data = join(folder, 'data')
  openFolder(folder, account)

  const cluster = { programs, folder, data, account }
  if (!existsSync(data)) await createCluster(site, cluster)
  await clearPostmaster(data, site.log)

  const port = await site.findPort(preferredPort)
  const outputFile = join(site.logFolder, 'postgres.log')
  rotateLogFile(outputFile)

  const password = readFileSync(passwordFile(folder), 'utf8').trim()
  return {
    databaseUrl: `postgres://${NAME}:${password}@127.0.0.1:${port}/${NAME}`,
    port,
    folder: data,
    part: {
      name: 'postgres',
      command: async () => ({
        file: join(programs, 'postgres'),
        args: ['-D', data, '-p', String(port), ...toArguments(settings)],
        cwd: folder,
        env: serverEnvironment(site.environment),
        account,
        outputFile
      }),
      isReady: async pid => isPostmasterReady(data, pid),
      // Fast shutdown: SIGTERM would wait for every client to go.
      stopSignal: 'SIGINT',
      stopDeadlineMs: STOP_DEADLINE_MS,
      firstAttempts: 1
    }
  } satisfies PreparedPostgres
}

interface Cluster {
  readonly programs: string
  readonly folder: string
  readonly data: string
  readonly account: Account | null
}

async function createCluster(site: Site, { programs, folder, data, account }: Cluster) {
  const draft = `${data}.new`
  rmSync(draft, { recursive: true, force: true })
  writeFileAtomically(passwordFile(folder), randomBytes(24).toString('base64url'))
  giveTo(passwordFile(folder), account)

  const { log, records, shutdown, environment } = site
  log.info('makes a new PostgreSQL database')
  const options = { records, shutdown }
  const command = { cwd: folder, env: serverEnvironment(environment), account }
  const args = ['-D', draft, '-U', NAME, '-A', 'scram-sha-256', `--pwfile=${passwordFile(folder)}`, ...toLocale()]
  await runTask({ ...command, file: join(programs, 'initdb'), args }, { ...options, name: 'initdb' })
  // The package has no psql; the server itself takes SQL when it runs alone.
  const single = { file: join(programs, 'postgres'), args: ['--single', '-D', draft, 'postgres'] }
  const said = await runTask(
    { ...command, ...single, input: `CREATE DATABASE ${NAME}\n` },
    { ...options, name: 'createdb' }
  )
  // Run alone, the server reports a failed statement and ends well.
  if (/\bERROR:/.test(said)) throw new stackErrors.SMG_STACK_TASK_FAILED('createdb', 'exit code 0', said)
  // Only a whole cluster has this name: what a kill leaves behind is made anew.
  renameSync(draft, data)
}

/** Code points decide the order, on every machine. macOS has no C.UTF-8, there PostgreSQL's own does it. */
function toLocale(platform = process.platform): readonly string[] {
  if (platform === 'linux') return ['-E', 'UTF8', '--locale=C.UTF-8']
  return ['-E', 'UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
}

function toArguments(settings: readonly string[]): string[] {
  const always = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200']
  return [...always, ...settings].flatMap(setting => ['-c', setting])
}

/** No secret of the stack's environment has to be known to the server. */
function serverEnvironment({ PATH, TZ }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { PATH, TZ }
}

function openFolder(folder: string, account: Account | null) {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  giveTo(folder, account)
}

function giveTo(path: string, account: Account | null) {
  if (account) chownSync(path, account.uid, account.gid)
}

function passwordFile(folder: string): string {
  return join(folder, 'password')
}
