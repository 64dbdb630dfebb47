import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..', '..')
// The test runner puts its hooks into every process that it sees, and the compiler does not load under them.
const CLEAN = ['-u', 'NODE_OPTIONS']
const run = (...command: string[]) => promisify(execFile)('env', [...CLEAN, ...command], { cwd: ROOT })
const runMain = (main: string, ...args: string[]) =>
  run(process.execPath, '--import', 'tsx', join('bench', main), ...args)

const DRAINED = {
  voids: [],
  cpu: { self: { median: Number }, postgres: { median: Number }, kafka: { median: Number } },
  diskBytes: { postgres: Number, kafka: Number }
}
const SHORT = [
  {
    name: 'latency',
    options: ['--rate', '200', '--seconds', '1', '--rounds', '1', '--cold'],
    finds: { summaries: [{ name: 'single', voids: [] }] },
    says: 'visible p99 ms',
    isDrawn: false
  },
  {
    name: 'drain',
    options: ['--events', '12000', '--only', 'smg-kafka,smg-kafka-without-guarantee', '--rounds', '1', '--cold'],
    finds: {
      summaries: [
        { name: 'smg-kafka', ...DRAINED },
        { name: 'smg-kafka-without-guarantee', ...DRAINED }
      ]
    },
    says: /the guarantee costs .* % .*\nOn disk an event takes/,
    isDrawn: true
  },
  {
    name: 'growth',
    options: ['--events', '12000', '--only', 'rows', '--rows', '1000', '--rounds', '1', '--cold'],
    finds: {
      summaries: [
        { name: 'base', ...DRAINED },
        { name: 'rows 1000', ...DRAINED }
      ]
    },
    says: /filled both tables with 1000 rows[\s\S]*\nOn disk an event takes/,
    isDrawn: true
  },
  {
    name: 'knobs',
    options: ['--only', 'PRODUCER_LANES=1', '--rate', '100', '--seconds', '0.5', '--rounds', '1', '--cold'],
    finds: {
      summaries: [
        { name: 'PRODUCER_LANES=4', voids: [] },
        { name: 'PRODUCER_LANES=1', voids: [] }
      ]
    },
    says: /PRODUCER_LANES/,
    isDrawn: false
  },
  {
    // The last: PostgreSQL crashes.
    name: 'outage',
    options: ['--rate', '100', '--before', '1', '--away', '1', '--after', '2', '--limit', '60000'],
    finds: { fault: null, figures: { 'away s': Number, 's to the first event': Number } },
    says: /./,
    isDrawn: false
  }
]

// No figure is judged. All of them run on one Kafka and one PostgreSQL: to start both takes longer than most of it.
t.test('npm run bench measures in a short form, and writes figures', { timeout: 200_000 }, async t => {
  const out = t.testdir()
  const wanted = SHORT.flatMap(({ name, options }) => ['+', name, ...options, '--out', out]).slice(1)

  const { stdout } = await run('npm', 'run', '-s', 'bench', '--', ...wanted)

  for (const { name, finds, says, isDrawn } of SHORT) {
    t.match(JSON.parse(readFileSync(join(out, `${name}.json`), 'utf8')), { command: name, ...finds })
    t.match(stdout, says, `says those of ${name} as well`)
    if (isDrawn) t.match(readFileSync(join(out, `${name}.svg`), 'utf8'), /^<svg [\s\S]*<\/svg>\n$/)
  }
  const [{ figures }] = JSON.parse(readFileSync(join(out, 'latency.json'), 'utf8')).summaries
  t.ok(figures['visible p99 ms'].median >= figures['answer p50 ms'].median, 'an event is visible after its answer')
  for (const name of ['gateway', 'runner', 'kafka', 'postgres', 'generator'])
    t.ok(figures[`µs ${name}`].median > 0, `${name} took its time`)
})

// As it was compiled by the test before: not by npm, which would do it once more.
t.test('npm run profile writes a profile, and says where the time went', { timeout: 120_000 }, async t => {
  const out = t.testdir()

  const { stdout } = await runMain(join('profile', 'main.ts'), 'drain', '--events', '12000', '--cold', '--out', out)

  const [file = ''] = readdirSync(out)
  t.match(file, /^drain-.*\.cpuprofile$/)
  t.match(stdout, join(out, file), 'names it')
  t.match(stdout, /GC\n/)
  t.match(stdout, /room runner/)
})

t.test('npm run bench says what there is to measure', async t => {
  await t.rejects(runMain('main.ts', 'everything'), {
    code: 2,
    stderr: 'drain | growth | produce | chain | latency | read | start | knobs | metrics | outage | console | alerts'
  })
})
