// What `tsc` leaves out of dist/: migrations, styles, and the package's own name, which function files import.
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const exports = { '.': './sdk/index.js', './testing': './sdk/testing.js' }

for (const path of ['db/migrations', 'gateway/documents/theme.css', 'gateway/console/web/styles/tokens.css'])
  cpSync(join(root, path), join(root, 'dist', path), { recursive: true })
writeFileSync(
  join(root, 'dist', 'package.json'),
  `${JSON.stringify({ name: 'smg-kafka', type: 'module', exports }, null, 2)}\n`
)
