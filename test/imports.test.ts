import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')
const ROOMS = ['functions', 'sdk', 'runner', 'gateway', 'kafka', 'db', 'openapi', 'stack'] as const
type Room = (typeof ROOMS)[number]

const room = (name: string) => new RegExp(`^${name}/`)
const catalogue = (name: string) => new RegExp(`^${name}/errors\\.ts$`)
const CONFIG = /^[^/]+\/config\.ts$/

/** What a room may import of the others: paths from the root. */
const ALLOWED: Readonly<Record<Room, readonly RegExp[]>> = {
  functions: [room('sdk'), room('db/tables')],
  runner: [room('sdk'), room('kafka'), room('db')],
  gateway: [room('sdk'), room('kafka'), room('db')],
  openapi: [room('gateway'), room('sdk'), ...['runner', 'kafka', 'db', 'stack'].map(catalogue)],
  // It starts the others as processes.
  stack: [CONFIG],
  kafka: [],
  db: [],
  sdk: []
}

// Known today, and to be mended: a line goes when the import does.
const KNOWN = [
  // The routes ask at build which filters a list has, and only the queries know.
  'openapi/documents.ts imports db/queries/gateway.ts'
]

// The loader imports the functions, and a patch the files of KafkaJS; nothing else may compute a name.
const COMPUTED = ['sdk/load-functions.ts', 'kafka/patches.ts']

interface Source {
  readonly file: string
  readonly room: Room
  /** Without comments. */
  readonly text: string
  /** As they are written. */
  readonly names: readonly string[]
}

const STATEMENT = /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm
const EFFECT = /^\s*import\s*['"]([^'"]+)['"]/gm
const CALL = /\b(?:import|require|import\.meta\.resolve)\s*\(\s*['"`]([^'"`$]+)['"`]/g
const ANY_CALL = /(?<![.\w])(?:import|require)\s*\(\s*(?!['"`][^'"`$]+['"`])/

const sources = ROOMS.flatMap(readRoom)

t.test('sees the imports that it is to judge', async t => {
  const names = (file: string) => sources.find(source => source.file === file)?.names ?? []

  t.ok(names('functions/user-activities.ts').includes('smg-kafka'))
  t.ok(names('kafka/kafkajs.ts').includes('kafkajs'), 'those inside a type as well')
  t.ok(names('gateway/routes/api/produce.ts').includes('../../schemas/produce.ts'), 'those of several lines as well')
  t.strictSame(findNames("import './a.ts'\nawait import('./b.ts')\nexport * from './c.ts'\n// from './d.ts'\n"), [
    './c.ts',
    './a.ts',
    './b.ts'
  ])
  for (const name of ROOMS) t.ok(sources.filter(source => source.room === name).length > 2, `${name} has files`)
})

t.test('imports go one way', async t => {
  const wrong = sources.flatMap(({ file, room, names }) =>
    names
      .map(name => toPath(file, name))
      .filter(path => path !== null && !path.startsWith(`${room}/`))
      .filter(path => !ALLOWED[room].some(allowed => allowed.test(path ?? '')))
      .map(path => `${file} imports ${path}`)
  )

  t.strictSame(wrong, KNOWN)
})

t.test('every import of ours names a file, with its ending', async t => {
  const wrong = sources.flatMap(({ file, names }) =>
    names
      .filter(name => name.startsWith('.') && !isFile(resolve(ROOT, dirname(file), name)))
      .map(name => `${file} imports ${name}`)
  )

  t.strictSame(wrong, [])
})

t.test('only kafka knows KafkaJS', async t => {
  const wrong = sources.filter(({ room, names }) => room !== 'kafka' && names.some(name => /^kafkajs(\/|$)/.test(name)))

  t.strictSame(
    wrong.map(({ file }) => file),
    []
  )
})

t.test('names of imports are written out, but for the functions', async t => {
  const computing = sources.filter(({ text }) => ANY_CALL.test(text)).map(({ file }) => file)

  t.strictSame(computing, COMPUTED)
})

t.test('only main.ts and config.ts read the environment', async t => {
  const reading = sources.filter(({ text }) =>
    /\bprocess\s*\??\.\s*env\b|\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/.test(text)
  )
  const wrong = reading.filter(({ file }) => !/\/(main|config)\.ts$/.test(file))

  t.ok(reading.length > 3)
  t.strictSame(
    wrong.map(({ file }) => file),
    []
  )
})

t.test('only main.ts exits', async t => {
  const exiting = sources.filter(({ text }) =>
    /\bprocess\s*\.\s*(exit|abort|reallyExit)\s*\(|\bcloseWithGrace\s*\(/.test(text)
  )
  const wrong = exiting.filter(({ file }) => !file.endsWith('/main.ts'))

  t.ok(exiting.length > 3)
  t.strictSame(
    wrong.map(({ file }) => file),
    []
  )
})

t.test('process comes from nowhere but the global', async t => {
  const wrong = sources.filter(({ names }) => names.some(name => name === 'process' || name === 'node:process'))

  t.strictSame(
    wrong.map(({ file }) => file),
    []
  )
})

t.test('functions holds function files, and nothing else', async t => {
  const entries = readdirSync(join(ROOT, 'functions'), { withFileTypes: true })
  const wrong = entries.filter(entry => !entry.isFile() || !/^[\w.-]+\.ts$/.test(entry.name))
  const own = sources.filter(({ room }) => room === 'functions')

  t.strictSame(
    wrong.map(({ name }) => name),
    []
  )
  for (const { file, text } of own) t.match(text, /^export default defineFunction\(/m, file)
})

function readRoom(name: Room): Source[] {
  const files = readdirSync(join(ROOT, name), { recursive: true }).map(String).filter(isOurs).toSorted()
  return files.map(path => {
    const file = `${name}/${path.replaceAll(sep, '/')}`
    const text = withoutComments(readFileSync(join(ROOT, file), 'utf8'))
    return { file, room: name, text, names: findNames(text) }
  })
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

function isOurs(path: string): boolean {
  return /\.(ts|mts|js|mjs)$/.test(path) && !/(^|[\\/])(node_modules|dist|\.[^\\/]+)[\\/]/.test(path)
}

function findNames(text: string): string[] {
  const bare = withoutComments(text)
  return [STATEMENT, EFFECT, CALL].flatMap(pattern => [...bare.matchAll(pattern)].map(([, name = '']) => name))
}

/** Whole lines of comments: an import never shares its line with one. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, '').replace(/^\s*\/\/.*$/gm, '')
}

/** The path from the root of an import of ours; null for a package. */
function toPath(file: string, name: string): string | null {
  if (name === 'smg-kafka' || name.startsWith('smg-kafka/')) return 'sdk/index.ts'
  if (!name.startsWith('.')) return null
  return relative(ROOT, resolve(ROOT, dirname(file), name)).replaceAll(sep, '/')
}
