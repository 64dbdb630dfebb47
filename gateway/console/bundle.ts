import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** Files by name, ready to be served: `index.html`, and a script and a style whose names change with what is in them. */
export type Bundle = ReadonlyMap<string, Buffer>

/** Where the sources of the console are; nowhere in `dist/`, which holds the bundle. */
const WEB = join(import.meta.dirname, 'web')

/** Bundles the console from its sources. Takes a fifth of a second, and needs what is installed for development. */
export async function bundleConsole(): Promise<Bundle> {
  // Loaded here alone: a built gateway serves what it has, and does not have this.
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: [
      { in: join(WEB, 'main.tsx'), out: 'app' },
      { in: join(WEB, 'styles', 'app.css'), out: 'app' }
    ],
    outdir: 'console',
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: ['es2023', 'chrome111', 'firefox115', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'silent'
  })

  const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), Buffer.from(contents)]))
  const nameOf = (ending: string) => [...files.keys()].find(name => name.endsWith(ending)) ?? ''
  const page = (await readFile(join(WEB, 'index.html'), 'utf8'))
    .replace('{{script}}', `/console/${nameOf('.js')}`)
    .replace('{{style}}', `/console/${nameOf('.css')}`)
  return files.set('index.html', Buffer.from(page))
}
