import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bundleConsole } from './bundle.ts'

// Writes the console into a folder, for `npm run build` and images: a gateway that finds it beside `serve.ts` serves it.
const [folder = 'dist/gateway/console'] = process.argv.slice(2)

await mkdir(folder, { recursive: true })
for (const [name, body] of await bundleConsole()) await writeFile(join(folder, name), body)
