import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..', '..')
// The test runner puts its hooks into every process that it sees, and the compiler does not load under them.
const CLEAN = ['-u', 'NODE_OPTIONS']

// Of the measurements it is the one that starts every process and takes the least time. No figure is judged.
t.test('npm run bench measures in a short form, and writes figures', { timeout: 120_000 }, async t => {
  const out = t.testdir()
  const options = ['latency', '--rate', '200', '--seconds', '1', '--rounds', '1', '--out', out]

  const { stdout } = await promisify(execFile)('env', [...CLEAN, 'npm', 'run', '-s', 'bench', '--', ...options], {
    cwd: ROOT
  })

  const { command, summaries } = JSON.parse(readFileSync(join(out, 'latency.json'), 'utf8'))
  t.match(stdout, 'visible p99 ms', 'says them as well')
  t.equal(command, 'latency')
  t.match(summaries, [{ name: 'single', voids: [] }])
  const [{ figures }] = summaries
  t.ok(figures['visible p99 ms'].median >= figures['answer p50 ms'].median, 'an event is visible after its answer')
  for (const name of ['gateway', 'runner', 'kafka', 'postgres', 'generator'])
    t.ok(figures[`µs ${name}`].median > 0, `${name} took its time`)
})

const SUMMARY = {
  voids: [],
  cpu: { self: { median: Number }, postgres: { median: Number }, kafka: { median: Number } },
  diskBytes: { postgres: Number, kafka: Number }
}
const SHORT = [
  {
    args: ['drain', '--events', '12000', '--only', 'smg-kafka,smg-kafka-without-guarantee'],
    names: ['smg-kafka', 'smg-kafka-without-guarantee'],
    says: /the guarantee costs .* % .*\nOn disk an event takes/
  },
  {
    args: ['growth', '--events', '12000', '--only', 'rows', '--rows', '1000'],
    names: ['base', 'rows 1000'],
    says: /filled both tables with 1000 rows[\s\S]*\nOn disk an event takes/
  }
]

for (const { args, names, says } of SHORT) {
  const [name = ''] = args
  t.test(`npm run bench -- ${name} measures in a short form, and draws`, { timeout: 120_000 }, async t => {
    const out = t.testdir()
    const main = ['--import', 'tsx', join('bench', 'main.ts')]

    // What it measures was compiled by the measurement before.
    const { stdout } = await promisify(execFile)(
      'env',
      [...CLEAN, process.execPath, ...main, ...args, '--rounds', '1', '--cold', '--out', out],
      { cwd: ROOT }
    )

    const { command, summaries } = JSON.parse(readFileSync(join(out, `${name}.json`), 'utf8'))
    t.equal(command, name)
    t.match(
      summaries,
      names.map(name => ({ name, ...SUMMARY }))
    )
    t.match(stdout, says)
    t.match(readFileSync(join(out, `${name}.svg`), 'utf8'), /^<svg [\s\S]*<\/svg>\n$/)
  })
}

t.test('npm run bench says what there is to measure', async t => {
  const main = join(ROOT, 'bench', 'main.ts')

  await t.rejects(promisify(execFile)(process.execPath, ['--import', 'tsx', main, 'everything'], { cwd: ROOT }), {
    code: 2,
    stderr: 'drain | growth | produce | chain | latency | read'
  })
})
