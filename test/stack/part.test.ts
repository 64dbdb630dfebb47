import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createPart, type PartSpec } from '../../stack/part.ts'
import { createProcessRecords, readRecords } from '../../stack/process-records.ts'
import { findStartTime, sendSignal } from '../../stack/processes.ts'

/** A part that runs `script` in Node and is ready once it has written `ready` in its folder. */
function preparePart(t: Test, script: string, overrides: Partial<PartSpec> = {}) {
  const folder = t.testdir()
  const file = (name: string) => join(folder, name)
  const said: string[] = []
  const say = (_fields: unknown, message?: string) => void said.push(String(message))
  const states: string[] = []
  const tools = `const fs = require('fs'); const file = n => ${JSON.stringify(folder)} + '/' + n;
    const ready = () => fs.writeFileSync(file('ready'), String(process.pid)); const stay = () => setInterval(() => {}, 1000);
    const starts = (fs.existsSync(file('starts')) ? +fs.readFileSync(file('starts')) : 0) + 1;
    fs.writeFileSync(file('starts'), String(starts));`

  const spec: PartSpec = {
    name: 'gateway',
    command: async () => ({ file: process.execPath, args: ['-e', tools + script], cwd: folder, env: process.env }),
    isReady: async pid => existsSync(file('ready')) && readFileSync(file('ready'), 'utf8') === String(pid),
    stopDeadlineMs: 500,
    firstAttempts: 2,
    isMisconfigured: async ({ code }) => code === 2,
    ...overrides
  }
  const part = createPart(spec, {
    log: { info: say, warn: say, error: say },
    records: createProcessRecords(file('pids.json')),
    onLine: (_part, line) => void said.push(line),
    onChange: (_part, state) => void states.push(state)
  })
  t.teardown(() => part.stop())

  return {
    part,
    said,
    states,
    starts: () => Number(readFileSync(file('starts'), 'utf8')),
    recorded: () => readRecords(file('pids.json')).map(({ pid }) => pid),
    at: file,
    write: (name: string, text = '') => writeFileSync(file(name), text),
    async until(holds: () => boolean) {
      for (const deadline = Date.now() + 8_000; !holds(); await sleep(10))
        if (Date.now() > deadline) throw new Error(`did not come true: ${holds}\n${said.join('\n')}`)
    }
  }
}

t.test('is ready when its own process says so, and is recorded while it runs', async t => {
  const { part, states, recorded } = preparePart(t, 'setTimeout(ready, 100); stay()')

  await part.start()
  t.strictSame(states, ['started', 'ready'])
  t.strictSame(recorded(), [part.pid])

  const { pid } = part
  await part.stop()
  t.equal(findStartTime(pid ?? 0), null)
  t.strictSame(recorded(), [])
})

t.test('starts again when it dies, and says why it did', async t => {
  const { part, said, until, states, recorded } = preparePart(t, 'ready(); stay()')
  await part.start()
  const first = part.pid

  sendSignal(first ?? 0, 'SIGKILL')
  await until(() => states.length === 4)

  t.not(part.pid, first)
  t.strictSame(recorded(), [part.pid])
  t.strictSame(said, ['gateway died (signal SIGKILL); it starts again in 0.5 s'])
})

t.test('waits twice as long after each death', async t => {
  const { part, said, until } = preparePart(t, 'if (starts === 1) { ready(); stay() } else process.exit(7)')
  await part.start()

  sendSignal(part.pid ?? 0, 'SIGKILL')
  await until(() => said.length === 3)

  t.strictSame(said.slice(1), [
    'gateway died (exit code 7); it starts again in 1 s',
    'gateway died (exit code 7); it starts again in 2 s'
  ])
})

t.test('starts again at once when it is told to, with nothing said of a death', async t => {
  const { part, said, until, states } = preparePart(t, 'ready(); stay()')
  await part.start()

  part.restart()
  await until(() => states.length === 4)

  t.strictSame(said, [])
})

t.test('waits for a change when its configuration is wrong, instead of dying again and again', async t => {
  const script = `if (fs.existsSync(file('broken'))) { console.log('orders.ts: no default export'); process.exit(2) }; ready(); stay()`
  const { part, said, until, states, starts, write } = preparePart(t, script)
  await part.start()

  write('broken')
  part.restart()
  await until(() => said.length === 2)
  await sleep(1_200)

  t.equal(starts(), 2, 'one more start, and no further')
  t.strictSame(said, [
    'orders.ts: no default export',
    'gateway stopped, see above; it starts again when a file of it changes'
  ])
  t.equal(states.at(-1), 'started')
})

t.test('is mended by a change', async t => {
  const script = `if (starts === 2) process.exit(2); ready(); stay()`
  const { part, said, until, states } = preparePart(t, script)
  await part.start()
  part.restart()
  await until(() => said.length === 1)

  part.restart()

  await until(() => states.at(-1) === 'ready' && states.length === 5)
  t.equal(findStartTime(part.pid ?? 0) === null, false)
})

const failures = [
  { when: 'its configuration is wrong', script: 'process.exit(2)', starts: 1, reason: 'exit code 2' },
  { when: 'it dies too often', script: 'process.exit(1)', starts: 2, reason: 'exit code 1' }
]

for (const { when, script, starts: expected, reason } of failures) {
  t.test(`fails its first start when ${when}`, async t => {
    const { part, starts } = preparePart(t, script)

    await t.rejects(part.start(), {
      code: 'SMG_STACK_PART_FAILED',
      message: new RegExp(`gateway did not start .${reason}`)
    })
    t.equal(starts(), expected)
  })
}

t.test('quotes the log of a server that dies at its start, and nothing older', async t => {
  const script = `console.error('FATAL: no space left'); process.exit(1)`
  const command = async () => ({ file: process.execPath, args: ['-e', script], cwd: '/', env: process.env, outputFile })
  const { part, write, at } = preparePart(t, '', { name: 'kafka', command, firstAttempts: 1 })
  const outputFile = at('kafka.log')
  write('kafka.log', 'of an earlier start\n')

  await t.rejects(part.start(), { message: 'kafka did not start (exit code 1): FATAL: no space left' })
})

t.test('says so when it cannot be run at all', async t => {
  const command = async () => ({ file: '/nowhere/java', args: [], cwd: '/', env: {} })
  const { part } = preparePart(t, '', { command, firstAttempts: 1 })

  await t.rejects(part.start(), { message: /ENOENT/ })
})

t.test('is killed when it does not heed its signal', async t => {
  const { part } = preparePart(t, `process.on('SIGTERM', () => {}); ready(); stay()`)
  await part.start()
  const { pid } = part

  const stoppedAt = Date.now()
  await part.stop()

  t.ok(Date.now() - stoppedAt >= 450, 'not before its deadline')
  t.equal(findStartTime(pid ?? 0), null)
})

t.test('stops while it is starting, and while it waits', async t => {
  const starting = preparePart(t, 'stay()')
  const start = starting.part.start()
  await starting.until(() => starting.states.length === 1)
  await Promise.all([t.rejects(start, { code: 'SMG_STACK_STOPPED' }), starting.part.stop()])

  const waiting = preparePart(t, 'ready(); stay()')
  await waiting.part.start()
  sendSignal(waiting.part.pid ?? 0, 'SIGKILL')
  await waiting.until(() => waiting.said.length === 1)
  await waiting.part.stop()
  t.equal(waiting.starts(), 1)
})
