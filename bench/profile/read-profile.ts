import { isAbsolute, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What V8 writes (https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile); times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  /** The node of each sample. */
  readonly samples: readonly number[]
  /** From the sample before, or from the start. */
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  /** `lineNumber` counts from 0; `url` is empty for V8's own. */
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
}

/** Milliseconds of a function or of a part, without what it called. */
export interface SelfTime {
  readonly name: string
  readonly part: string
  readonly selfMs: number
}

export interface ProfileSummary {
  /** Waiting is not counted. */
  readonly busyMs: number
  /** The longest first. */
  readonly functions: readonly SelfTime[]
  /** By what it belongs to: garbage collection, native code, Node, loading of modules, a room of ours, a dependency. */
  readonly parts: readonly SelfTime[]
}

const NOT_BUSY = ['(idle)', '(root)']
const OWN_PARTS: Readonly<Record<string, string>> = { '(garbage collector)': 'GC', '(program)': 'native' }
const LOADING = 'loading of modules'

/** Sums a profile up; `root` is the folder that the project was built into. */
export function summariseProfile({ nodes, samples, timeDeltas }: CpuProfile, root: string): ProfileSummary {
  const byId = new Map(nodes.map(node => [node.id, node]))
  const loading = findLoading(nodes, byId)
  const functions = new Map<string, SelfTime>()
  const parts = new Map<string, SelfTime>()

  for (const [index, id] of samples.entries()) {
    const node = byId.get(id)
    if (!node || NOT_BUSY.includes(node.callFrame.functionName)) continue
    // V8 gives the time before a sample; what ran until the next one is what the sample saw.
    const selfMs = (timeDeltas[index + 1] ?? 0) / 1000
    const part = loading.has(id) ? LOADING : toPart(node, root)
    add(functions, { name: toName(node, root), part, selfMs })
    add(parts, { name: part, part, selfMs })
  }
  const byTime = (times: Map<string, SelfTime>) => [...times.values()].sort((a, b) => b.selfMs - a.selfMs)
  const busyMs = [...parts.values()].reduce((sum, { selfMs }) => sum + selfMs, 0)
  return { busyMs, functions: byTime(functions), parts: byTime(parts) }
}

function add(times: Map<string, SelfTime>, { name, part, selfMs }: SelfTime) {
  const key = `${part} ${name}`
  times.set(key, { name, part, selfMs: selfMs + (times.get(key)?.selfMs ?? 0) })
}

/** What runs below Node's loader is the start of a process, and not its work. */
function findLoading(nodes: readonly ProfileNode[], byId: ReadonlyMap<number, ProfileNode>): ReadonlySet<number> {
  const roots = nodes.filter(({ callFrame: { url } }) => url.startsWith('node:internal/modules/'))
  const loading = new Set<number>()
  const waiting = roots.map(({ id }) => id)
  for (const id of waiting) {
    if (loading.has(id)) continue
    loading.add(id)
    waiting.push(...(byId.get(id)?.children ?? []))
  }
  return loading
}

function toPart({ callFrame: { functionName, url } }: ProfileNode, root: string): string {
  if (url === '') return OWN_PARTS[functionName] ?? 'native'
  if (url.startsWith('node:')) return 'node'
  const [, dependency] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? []
  return dependency ? `dependency ${dependency}` : `room ${toPath(url, root).split('/', 1)[0]}`
}

function toName({ callFrame: { functionName, url, lineNumber } }: ProfileNode, root: string): string {
  const name = functionName || '(anonymous)'
  if (url === '') return name
  return `${name} ${url.startsWith('node:') ? url : toPath(url, root)}:${lineNumber + 1}`
}

/** Below the root, or below `node_modules`. */
function toPath(url: string, root: string): string {
  const path = url.startsWith('file:') ? fileURLToPath(url) : url
  const [, below] = /.*\/node_modules\/(.*)/.exec(path) ?? []
  return below ?? (isAbsolute(path) ? relative(root, path) : path)
}
