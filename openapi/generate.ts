import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildDocuments, buildErrorPage } from './documents.ts'

// `npm run openapi` writes the documents; with `-- --check` it compares them and exits 1 when one is old.
const folder = import.meta.dirname
const documents = {
  ...(await buildDocuments(join(folder, '..', 'functions'))),
  'errors.md': buildErrorPage()
}

for (const [name, text] of Object.entries(documents)) {
  if (process.argv.includes('--check')) await check(name, text)
  else await writeFile(join(folder, name), text)
}

async function check(name: string, text: string) {
  const committed = await readFile(join(folder, name), 'utf8').catch(() => '')
  if (committed === text) return

  const lines = text.split('\n')
  const old = committed.split('\n')
  const at = lines.findIndex((line, index) => line !== old[index])
  process.stderr.write(`openapi/${name} is old, from line ${at + 1}: run npm run openapi and commit it\n`)
  process.stderr.write(`- ${old[at] ?? ''}\n+ ${lines[at] ?? ''}\n`)
  process.exitCode = 1
}
