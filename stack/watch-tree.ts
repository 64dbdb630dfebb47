import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { Log } from './output.ts'

/**
 * Calls `onFile` with the absolute path of everything that changes under a folder; gives the end of it. Each folder is
 * watched by itself: Node's own `recursive` watches files on Linux, and loses one for good once an editor replaced it
 * (seen on Node 20.20).
 */
export function watchTree(root: string, onFile: (file: string) => void, log: Log): () => void {
  const watchers = new Map<string, FSWatcher>()
  addFolder(root)

  return () => {
    for (const watcher of watchers.values()) watcher.close()
    watchers.clear()
  }

  function addFolder(folder: string) {
    if (watchers.has(folder)) return
    try {
      const watcher = watch(folder, (_event, name) => onChange(folder, name))
      watcher.on('error', () => dropFolder(folder))
      watchers.set(folder, watcher)
      for (const entry of readdirSync(folder, { withFileTypes: true }))
        if (entry.isDirectory() && entry.name !== 'node_modules') addFolder(join(folder, entry.name))
    } catch (error) {
      log.warn({ err: error }, `changes in ${folder} are not seen`)
    }
  }

  function onChange(folder: string, name: string | null) {
    const path = join(folder, name ?? '')
    const isFolder = name !== null && statSync(path, { throwIfNoEntry: false })?.isDirectory()
    if (isFolder) return onFolder(path)
    dropFolder(path)
    onFile(path)
  }

  /** A folder that came: what is in it already came with it. */
  function onFolder(folder: string) {
    if (watchers.has(folder)) return
    addFolder(folder)
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) onFile(join(entry.parentPath, entry.name))
  }

  function dropFolder(folder: string) {
    watchers.get(folder)?.close()
    watchers.delete(folder)
  }
}
