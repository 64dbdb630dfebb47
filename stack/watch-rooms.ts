import { relative, resolve } from 'node:path'
import type { Log } from './output.ts'
import { type Effect, effectOf, mergeEffects, WATCHED_ROOMS } from './rooms.ts'
import { watchTree } from './watch-tree.ts'

export interface WatchOptions {
  readonly root: string
  readonly functionsFolder: string
  readonly log: Log
  /** Called once for the changes of a moment, and never while an earlier call is at work. Must not reject. */
  readonly onChange: (effect: Effect, files: readonly string[]) => Promise<void>
}

const DEBOUNCE_MS = 200

/** Watches the rooms of the parts, and gives the end of it, which waits for a call that is at work. */
export function watchRooms({ root, functionsFolder, log, onChange }: WatchOptions): () => Promise<void> {
  const changed = new Map<string, Effect>()
  let timer: NodeJS.Timeout | undefined
  let work: Promise<void> = Promise.resolve()

  const folders = new Set([...WATCHED_ROOMS.map(room => resolve(root, room)), functionsFolder])
  const watches = [...folders].map(folder => watchTree(folder, onFile, log))

  return async () => {
    clearTimeout(timer)
    for (const end of watches) end()
    await work
  }

  function onFile(file: string) {
    const effect = effectOf(file, root, functionsFolder)
    if (!effect.gateway && !effect.runners) return
    changed.set(file, effect)
    clearTimeout(timer)
    timer = setTimeout(() => {
      work = work.then(react)
    }, DEBOUNCE_MS)
  }

  async function react() {
    if (changed.size === 0) return
    const files = [...changed.keys()].map(file => relative(root, file))
    const effect = mergeEffects([...changed.values()])
    changed.clear()
    await onChange(effect, files)
  }
}
