import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { openLogDestination } from '../../gateway/log-destination.ts'
import { until } from './_support/open-request.ts'

function openLog(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'smg-log-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'log')
  const log = pino({ base: null }, openLogDestination(file))
  const read = () => readFileSync(file, 'utf8').trim().split('\n').filter(Boolean)
  return { log, messages: () => read().map(line => JSON.parse(line).msg) }
}

t.test('holds lines for a moment, and writes them in their order', async t => {
  const { log, messages } = openLog(t)

  log.info('one')
  log.child({ reqId: '7' }).info('two')

  t.strictSame(messages(), [], 'nothing at once')
  await until(() => messages().length > 0)
  t.strictSame(messages(), ['one', 'two'])
  log.info('three')
  await until(() => messages().length > 2)
})

for (const level of ['warn', 'error', 'fatal'] as const) {
  t.test(`writes a line of level ${level} at once, behind what came before it`, async t => {
    const { log, messages } = openLog(t)

    log.info('one')
    log.child({ reqId: '7' })[level]('two')

    t.strictSame(messages(), ['one', 'two'])
  })
}

t.test('holds no more than a chunk', async t => {
  const { log, messages } = openLog(t)

  for (let count = 0; count < 600; count += 1) log.info('x'.repeat(100))

  t.ok(messages().length > 100)
  await until(() => messages().length === 600)
})

t.test('writes what it holds when the process exits', async t => {
  const script = `
    import { pino } from 'pino'
    import { openLogDestination } from './gateway/log-destination.ts'
    pino({}, openLogDestination()).info('last words')
    process.exit(0)`
  const node = ['--import', 'tsx', '--input-type=module', '--eval', script]

  const { stdout } = await promisify(execFile)(process.execPath, node, { cwd: join(import.meta.dirname, '..', '..') })

  t.match(stdout, /last words/)
})
