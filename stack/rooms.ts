import { basename, relative, sep } from 'node:path'

/** What a changed file asks for. */
export interface Effect {
  readonly migrate: boolean
  readonly gateway: boolean
  readonly runners: boolean
}

const SHARED = ['functions', 'sdk', 'kafka', 'db']

/** The rooms whose files make a part start again. */
export const WATCHED_ROOMS = [...SHARED, 'gateway', 'runner']

// What editors leave for a moment: vim (.swp, 4913, ~), emacs (.#, #), JetBrains (___jb_tmp___), many (.tmp).
const TEMPORARY = /^\.|^#|^4913$|~$|\.(swp|swx|tmp|bak|orig)$|___jb_/

/** Says what a change of `file` means; nothing for an editor's own files. `functionsFolder` may be anywhere. */
export function effectOf(file: string, root: string, functionsFolder: string): Effect {
  const [room = '', ...rest] = relative(root, file).split(sep)
  const isFunction = file === functionsFolder || file.startsWith(functionsFolder + sep)
  const isShared = isFunction || SHARED.includes(room)

  if (TEMPORARY.test(basename(file)) || file.includes(`${sep}node_modules${sep}`))
    return { migrate: false, gateway: false, runners: false }
  return {
    migrate: room === 'db' && (rest[0] === 'tables' || rest[0] === 'migrations'),
    gateway: isShared || room === 'gateway',
    runners: isShared || room === 'runner'
  }
}

/** Puts effects together. */
export function mergeEffects(effects: readonly Effect[]): Effect {
  return {
    migrate: effects.some(({ migrate }) => migrate),
    gateway: effects.some(({ gateway }) => gateway),
    runners: effects.some(({ runners }) => runners)
  }
}
