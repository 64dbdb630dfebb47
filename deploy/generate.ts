import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildDashboard } from './dashboard.ts'
import { buildRules } from './rules.ts'

// `npm run deploy` writes the files of Prometheus and Grafana; a test compares them.
const files = {
  'prometheus/rules.yml': buildRules(),
  'grafana/dashboard.json': `${JSON.stringify(buildDashboard(), null, 2)}\n`
}

for (const [path, text] of Object.entries(files)) await writeFile(join(import.meta.dirname, path), text)
