import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import t, { type Test } from 'tap'
import { createLogFile } from '../../stack/log-file.ts'
import { createOutput } from '../../stack/output.ts'
import { toSummary, withoutPassword } from '../../stack/summary.ts'

function prepareOutput(t: Test, isTerminal: boolean) {
  const logFolder = t.testdir()
  const written: string[] = []
  const output = createOutput({
    write: text => void written.push(stripVTControlCharacters(text)),
    isTerminal,
    logFolder
  })
  t.teardown(output.close)
  return { output, written, fileOf: (part: string) => readFileSync(join(logFolder, `${part}.log`), 'utf8') }
}

t.test('writes lines for the eye on a terminal', t => {
  const { output, written, fileOf } = prepareOutput(t, true)
  const time = new Date(2026, 0, 2, 3, 4, 5, 6).getTime()
  const line = JSON.stringify({
    level: 40,
    time,
    pid: 7,
    hostname: 'x',
    msg: 'attempt failed',
    topic: 'orders',
    attempt: 2
  })

  output.onLine('runner-0', line)
  output.onLine('gateway', 'Error: no JSON at all')
  output.onLine('gateway', JSON.stringify({ level: 50, time, msg: 'died', err: { stack: 'Error: x\n  at y' } }))

  t.strictSame(written, [
    '03:04:05.006 runner-0  WARN  attempt failed topic=orders attempt=2\n',
    '             gateway   Error: no JSON at all\n',
    '03:04:05.006 gateway   ERROR died\n    Error: x\n      at y\n'
  ])
  t.equal(fileOf('runner-0'), `${line}\n`, 'and as they are into the file of their part')
  t.end()
})

t.test('writes JSON lines with their part elsewhere', t => {
  const { output, written } = prepareOutput(t, false)

  output.onLine('gateway', '{"level":30,"msg":"listening"}')
  output.onLine('gateway', 'not "JSON"')
  output.log.warn('port 3000 is taken')

  const entries = written.map(text => JSON.parse(text))
  t.match(entries, [
    { part: 'gateway', level: 30, msg: 'listening' },
    { part: 'gateway', level: 30, msg: 'not "JSON"' },
    { part: 'stack', level: 40, msg: 'port 3000 is taken' }
  ])
  t.end()
})

t.test('keeps a log to twice its limit', t => {
  const file = join(t.testdir(), 'gateway.log')
  writeFileSync(file, 'old\n')
  const log = createLogFile(file, { maxBytes: 20 })

  for (const line of ['0123456789', '0123456789', 'after']) log.write(line)
  log.close()
  log.write('after the end: dropped, nothing thrown')

  t.equal(readFileSync(file, 'utf8'), 'after\n')
  t.equal(readFileSync(`${file}.1`, 'utf8'), 'old\n0123456789\n0123456789\n')
  t.notOk(existsSync(`${file}.2`))
  t.end()
})

t.test('shows no password', t => {
  const links = [
    { databaseUrl: 'postgres://smg:s3cret@127.0.0.1:5432/smg', shown: 'postgres://smg@127.0.0.1:5432/smg' },
    { databaseUrl: 'postgres://smg:s3cret@a:1,b:2/smg', shown: 'postgres://smg@a:1,b:2/smg' },
    { databaseUrl: 'postgresql://db/smg', shown: 'postgresql://db/smg' }
  ]
  const rest = {
    gatewayUrl: 'http://127.0.0.1:3000',
    runnerUrls: [],
    kafkaBrokers: 'x:1',
    dataFolder: '/d',
    seconds: '1'
  }

  for (const { databaseUrl, shown } of links) {
    t.equal(withoutPassword(databaseUrl), shown)
    t.notMatch(toSummary({ ...rest, databaseUrl }), /s3cret/)
  }
  t.end()
})
