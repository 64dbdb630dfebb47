import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { cutBuild } from '../../bench/cut-build.ts'
import { ROOT } from '../../bench/services.ts'
import { GUARANTEE_CUTS } from '../../bench/without-guarantee.ts'
import { findCountedIn, METRICS_CUTS } from '../../bench/without-metrics.ts'
import type { Measures } from '../../gateway/metrics/measures.ts'
import type { RunnerMetrics } from '../../runner/metrics.ts'

const run = promisify(execFile)
const folder = t.testdir()
const build = join(folder, 'build')
const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')

// The test runner puts its hooks into every process that it sees, and the compiler does not load under them.
await run('env', ['-u', 'NODE_OPTIONS', tsc, '-p', 'tsconfig.build.json', '--outDir', build], { cwd: ROOT })

const lists = [
  { name: 'guarantee', cuts: GUARANTEE_CUTS },
  { name: 'metrics', cuts: METRICS_CUTS }
]

for (const { name, cuts } of lists) {
  t.test(`what is cut for a build without ${name} is in the product, and the rest is sound`, async t => {
    const dist = cutBuild(join(folder, name), cuts, build)

    for (const file of new Set(cuts.map(cut => cut.file)))
      await t.resolves(run('env', ['-u', 'NODE_OPTIONS', process.execPath, '--check', join(dist, file)]), file)
  })
}

t.test('refuses a cut that does not fit', async t => {
  const cut = { file: 'runner/metrics.js', find: 'what nobody wrote', replace: '' }

  t.throws(() => cutBuild(join(folder, 'misfit'), [cut], build), { message: /runner\/metrics.js has 0 times/ })
})

t.test('a gateway without metrics measures nothing, and another does', async t => {
  for (const [dist, isCut] of [
    [build, false],
    [join(folder, 'metrics', 'dist'), true]
  ] as const) {
    const { createMeasures } = await load<{ createMeasures: () => Measures }>(dist, 'gateway/metrics/measures.js')
    const { registry, onSent, onSend, onQuery } = createMeasures()
    onSent('user-activities', '')
    onSend({ records: 1, bytes: 1, durationMs: 1, failure: null })
    onQuery({ name: 'messages.list', durationMs: 1, isAway: false })

    t.equal(findCountedIn(await registry.metrics()) === null, isCut)
  }
})

t.test('a runner without metrics measures nothing, and another does', async t => {
  for (const [dist, isCut] of [
    [build, false],
    [join(folder, 'metrics', 'dist'), true]
  ] as const) {
    const { createMetrics } = await load<{ createMetrics: () => RunnerMetrics }>(dist, 'runner/metrics.js')
    const { registry, cycleSeconds, cycleRecords, consumed, count } = createMetrics()
    cycleSeconds.startTimer({ topic: 'user-activities' })()
    cycleRecords.observe({ topic: 'user-activities' }, 1)
    consumed.inc({ messaging_destination_name: 'user-activities', messaging_consumer_group_name: 'smg' }, 1)
    count('user-activities', { messages: 1, rows: 1, duplicates: 0, lastMessageMs: null } as never, 1)

    t.equal(findCountedIn(await registry.metrics()) === null, isCut)
  }
})

function load<T>(dist: string, file: string): Promise<T> {
  return import(pathToFileURL(join(dist, file)).href)
}
