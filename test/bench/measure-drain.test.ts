import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readCpu, startCpuMeter, toGoneReason } from '../../bench/cpu.ts'
import { measureDrain, type RowLooks } from '../../bench/measure-drain.ts'
import { launch } from '../../stack/launch.ts'
import { createProcessRecords } from '../../stack/process-records.ts'

const pids = { kafka: process.pid, postgres: process.pid }

/** Rows that are never all there, unless one says otherwise. */
function fakeRows(rows: Partial<RowLooks>): RowLooks {
  return {
    events: 10,
    haveStarted: async () => true,
    count: async () => 4,
    areDone: async () => false,
    findFlaw: async () => null,
    ...rows
  }
}

function run(t: Test, code: string) {
  const folder = t.testdir()
  const records = createProcessRecords(join(folder, 'pids.json'))
  const running = launch(
    { file: process.execPath, args: ['-e', code], cwd: folder, env: { PATH: process.env.PATH } },
    { name: 'contender', records }
  )
  t.teardown(() => running.end('SIGKILL', 1_000))
  return running
}

for (const [when, haveStarted] of [
  ['before its first row', false],
  ['before its last row', true]
] as const) {
  t.test(`a run is void at once when the process ends ${when}, with its last words`, async t => {
    const running = run(t, "console.error('no such table'); process.exit(3)")

    const drained = await measureDrain(fakeRows({ haveStarted: async () => haveStarted }), { running, pids })

    t.match(drained, { void: 'its process ended (exit code 3): no such table', eventsPerSecond: 0 })
  })
}

t.test('a run is void when it is not drained in time', async t => {
  const running = run(t, 'setInterval(() => 0, 1000)')

  t.match(await measureDrain(fakeRows({}), { running, pids, timeoutMs: 1 }), { void: 'not drained after 0.001 s' })
})

t.test('a run is void when a process is gone at its end: its CPU time is not 0', async t => {
  const running = run(t, '')
  await running.ended

  const drained = await measureDrain(fakeRows({ areDone: async () => true }), { running, pids })

  t.equal(drained.void, 'no CPU time of self: gone, or not on this machine')
})

t.test('counts the events from the first look on', async t => {
  const running = run(t, 'setInterval(() => 0, 1000)')

  const drained = await measureDrain(fakeRows({ areDone: async () => true }), { running, pids })
  const late = await measureDrain(fakeRows({ areDone: async () => true, count: async () => 10 }), { running, pids })
  const flawed = await measureDrain(fakeRows({ areDone: async () => true, findFlaw: async () => 'one is missing' }), {
    running,
    pids
  })

  t.equal(drained.void, null)
  t.ok(drained.eventsPerSecond > 0)
  t.match(late.void, 'all events were there at the first look')
  t.equal(flawed.void, 'one is missing')
})

t.test('knows no CPU time of a process that is gone, or of none', async t => {
  const child = spawn(process.execPath, ['-e', ''])
  const readUse = startCpuMeter({ child: child.pid ?? 0, own: process.pid })
  await once(child, 'exit')

  const use = readUse()

  t.equal(readCpu(child.pid ?? 0), null)
  t.equal(readCpu(0), null, 'which has descendants all the same')
  t.strictSame([use.gone, Object.keys(use.own)], [['child'], ['own']])
  t.match(toGoneReason(use), 'no CPU time of child')
  t.equal(toGoneReason({ gone: [] }), null)
})
