import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { stackErrors } from './errors.ts'
import { runTask } from './run-task.ts'
import type { Site } from './site.ts'

/** What Maven downloads into one folder. */
export interface JarSet {
  /** Begins the folder's name. */
  readonly name: string
  readonly title: string
  /** The dependencies of this file, with theirs. */
  readonly pom: string
  readonly megabytes: number
}

const MARKER = 'complete.json'

/**
 * Gives the folder with the jars of a pom, downloaded by Maven on first use. It is a cache of the user: every checkout
 * shares it, and removing it costs a download. Maven verifies each jar's checksum, and goes on where it was interrupted.
 *
 * @throws SMG_STACK_NO_MAVEN | SMG_STACK_DOWNLOAD
 */
export async function getJars(set: JarSet, site: Site): Promise<string> {
  const folder = join(cacheFolder(site.environment), `${set.name}-${hashOf(set.pom)}`)
  if (isComplete(folder)) return folder

  site.log.info(`downloads ${set.title} (${set.megabytes} MB, once) into ${folder}`)
  const draft = `${folder}.${process.pid}`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  try {
    await download(draft, set, site)
    writeFileSync(join(draft, MARKER), JSON.stringify(sizesOf(draft)))
    // Another start may have been faster: one whole folder is as good as the other.
    if (!isComplete(folder)) rmSync(folder, { recursive: true, force: true })
    if (!isComplete(folder)) renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return folder
}

/** Says whether a folder has every jar that it had when its download ended, each in full length. */
function isComplete(folder: string): boolean {
  try {
    const sizes: Record<string, number> = JSON.parse(readFileSync(join(folder, MARKER), 'utf8'))
    return Object.entries(sizes).every(([jar, bytes]) => statSync(join(folder, jar)).size === bytes)
  } catch {
    return false
  }
}

async function download(folder: string, { title, pom }: JarSet, { environment, records, shutdown }: Site) {
  // --strict-checksums: a damaged download fails instead of warning.
  const args = [
    '-q',
    '-B',
    '--strict-checksums',
    '-f',
    pom,
    'dependency:copy-dependencies',
    `-DoutputDirectory=${folder}`
  ]
  try {
    await runTask({ file: 'mvn', args, cwd: folder, env: environment }, { name: 'maven', records, shutdown })
  } catch (error) {
    if (shutdown.aborted) throw error
    const text = error instanceof Error ? error.message : String(error)
    if (/ENOENT/.test(text)) throw new stackErrors.SMG_STACK_NO_MAVEN({ cause: error })
    throw new stackErrors.SMG_STACK_DOWNLOAD(title, firstError(text), { cause: error })
  }
}

/** Of Maven's long answer the sentence that tells. */
function firstError(text: string): string {
  return (/\[ERROR\] (.*)/.exec(text)?.[1] ?? text).slice(0, 400)
}

function sizesOf(folder: string): Record<string, number> {
  const jars = readdirSync(folder).filter(file => file.endsWith('.jar'))
  return Object.fromEntries(jars.map(jar => [jar, statSync(join(folder, jar)).size]))
}

function cacheFolder({ XDG_CACHE_HOME }: NodeJS.ProcessEnv): string {
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'smg-kafka')
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12)
}
