import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { buildDashboard } from '../../deploy/dashboard.ts'
import { buildRules, MEASURES } from '../../deploy/rules.ts'
import { alertRules } from '../../gateway/alerts/rules.ts'
import { createMetrics } from '../../runner/metrics.ts'
import { buildApp } from '../gateway/_support/build-app.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'deploy')
const hasPromtool = spawnSync('promtool', ['--version']).error === undefined
const missing = hasPromtool ? false : 'promtool is missing: Debian has it in the package prometheus'

const rules = await readFile(join(FOLDER, 'prometheus', 'rules.yml'), 'utf8')
const dashboard = buildDashboard()
const panels = dashboard.panels as Panel[]

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly expr: string; readonly refId: string; readonly datasource: { uid: string } }[]
}

/** Of all panels, as Prometheus gets them: Grafana puts its variables in before. */
const expressions = panels.flatMap(({ targets = [] }) =>
  targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m').replaceAll('$topic', '.*'))
)

t.test('the files are those that the rules and the dashboard give: run npm run deploy', async t => {
  t.equal(rules, buildRules())
  t.strictSame(JSON.parse(await readFile(join(FOLDER, 'grafana', 'dashboard.json'), 'utf8')), dashboard)
})

t.test('each rule of the gateway is one of Prometheus, and no other is', async t => {
  t.strictSame(Object.keys(MEASURES).toSorted(), alertRules.map(({ name }) => name).toSorted())
})

t.test('the metrics of rules and dashboard are served by the gateway or a runner', async t => {
  const app = await buildApp(t)
  const served = `${(await app.inject('/metrics')).body}${await createMetrics().registry.metrics()}`
  const names = new Set(
    [rules, ...expressions].flatMap(text => text.match(/\b(smg|http|messaging|db|process|nodejs)_\w+/g) ?? [])
  )

  t.ok(names.size > 25)
  for (const name of names) {
    const base = name.replace(/_(bucket|count|sum)$/, '')
    const isServed = [name, base].some(one => served.includes(`# TYPE ${one} `))
    t.ok(isServed || OTHERS.has(name), name)
  }
})

// Labels, and not metrics.
const OTHERS = new Set(['http_route', 'http_response_status_code', 'messaging_destination_name'])

t.test('the dashboard loads anywhere: its panels ask the data source that the reader picks', async t => {
  const variables = dashboard.templating.list.map(({ name, type }) => [name, type])
  const ids = panels.map(({ id }) => id)

  t.strictSame(variables, [
    ['datasource', 'datasource'],
    ['topic', 'query']
  ])
  t.equal(new Set(ids).size, ids.length)
  for (const { type, title, datasource, targets = [], gridPos } of panels) {
    t.ok(gridPos.x + gridPos.w <= 24 && gridPos.h > 0, `${title} is inside the page`)
    if (type === 'row') continue
    t.equal(datasource?.uid, '$datasource', title)
    t.ok(targets.length > 0, title)
    for (const target of targets) t.equal(target.datasource.uid, '$datasource', title)
  }
  const clashes = panels.flatMap((one, index) => panels.slice(index + 1).filter(other => overlap(one, other)))
  t.strictSame(clashes, [], 'no panel lies over another')
})

const checks = [
  {
    what: 'the rules are right, and the example of a configuration',
    args: ['check', 'config', 'prometheus/prometheus.yml']
  },
  { what: 'each rule fires when it must, and only then', args: ['test', 'rules', 'prometheus/rules.test.yml'] }
]
for (const { what, args } of checks) {
  t.test(what, { skip: missing }, async t => {
    const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: FOLDER, encoding: 'utf8' })

    t.equal(status, 0, `${stdout}\n${stderr}`)
  })
}

t.test('each expression of the dashboard is one of Prometheus', { skip: missing }, async t => {
  const file = join(t.testdir(), 'panels.yml')
  const records = expressions.map((expr, index) => ({ record: `panel:${index}`, expr }))
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ groups: [{ name: 'panels', rules: records }] }))

  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })

  t.equal(status, 0, `${stdout}\n${stderr}`)
})

function overlap({ gridPos: one }: Panel, { gridPos: other }: Panel): boolean {
  return one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h
}
