import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DIST, ROOT } from './services.ts'

/** What is taken out of the product for a comparison. Nothing of this is in the product, nor can be switched on there. */
export interface Cut {
  /** Of the compiled product. */
  readonly file: string
  /** Is there exactly once. */
  readonly find: string
  readonly replace: string
}

/** Makes a copy of a build in a new folder, cuts it, and gives where it is; throws when a cut does not fit. */
export function cutBuild(folder: string, cuts: readonly Cut[], build = DIST): string {
  mkdirSync(folder)
  const dist = join(folder, 'dist')
  cpSync(build, dist, { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  for (const { file, find, replace } of cuts) {
    const path = join(dist, file)
    const parts = readFileSync(path, 'utf8').split(find)
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${find}`)
    writeFileSync(path, parts.join(replace))
  }
  return dist
}
