import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
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

// What starts more, or ends it on the way.
const others = [
  {
    name: 'knobs',
    options: ['--only', 'PRODUCER_LANES=1', '--rate', '100', '--seconds', '0.5', '--rounds', '1'],
    finds: {
      summaries: [
        { name: 'PRODUCER_LANES=4', voids: [] },
        { name: 'PRODUCER_LANES=1', voids: [] }
      ]
    }
  },
  {
    name: 'outage',
    options: ['--rate', '100', '--before', '1', '--away', '1', '--after', '2'],
    finds: { fault: null, figures: { 'away s': Number, 's to the first event': Number } }
  }
]

for (const { name, options, finds } of others) {
  // As it was compiled above: not by npm, which would do it once more.
  t.test(`npm run bench -- ${name} measures in a short form`, { timeout: 120_000 }, async t => {
    const out = t.testdir()
    const main = join(ROOT, 'bench', 'main.ts')

    const node = [process.execPath, '--import', 'tsx', main]
    await promisify(execFile)('env', [...CLEAN, ...node, name, ...options, '--out', out], { cwd: ROOT })

    t.match(JSON.parse(readFileSync(join(out, `${name}.json`), 'utf8')), finds)
  })
}

t.test('npm run profile writes a profile, and says where the time went', { timeout: 120_000 }, async t => {
  const out = t.testdir()
  const main = join(ROOT, 'bench', 'profile', 'main.ts')

  const node = [process.execPath, '--import', 'tsx', main]
  const options = ['drain', '--events', '1000', '--out', out]
  const { stdout } = await promisify(execFile)('env', [...CLEAN, ...node, ...options], { cwd: ROOT })

  const [file = ''] = readdirSync(out)
  t.match(file, /^drain-.*\.cpuprofile$/)
  t.match(stdout, join(out, file), 'names it')
  t.match(stdout, /GC\n/)
  t.match(stdout, /room runner/)
})

t.test('npm run bench says what there is to measure', async t => {
  const main = join(ROOT, 'bench', 'main.ts')

  await t.rejects(promisify(execFile)(process.execPath, ['--import', 'tsx', main, 'everything'], { cwd: ROOT }), {
    code: 2,
    stderr: 'drain | produce | chain | latency | read | start | knobs | outage'
  })
})
