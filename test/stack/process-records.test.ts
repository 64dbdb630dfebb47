import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createProcessRecords } from '../../stack/process-records.ts'
import { findStartTime, isAlive } from '../../stack/processes.ts'

/** Starts a process that ignores SIGTERM when it is told to, and gives its pid once it is set up. */
async function startProcess(t: Test, { ignores = '' } = {}): Promise<number> {
  const script = `${ignores && `process.on('${ignores}', () => {})`};setInterval(() => {}, 1000);console.log('up')`
  const child = spawn(process.execPath, ['-e', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child.pid ?? 0
}

t.test('ends what an earlier process recorded, and says what it was', async t => {
  const file = join(t.testdir(), 'pids.json')
  const [gateway, kafka] = [await startProcess(t), await startProcess(t)]
  const earlier = createProcessRecords(file)
  earlier.add('kafka', kafka)
  earlier.add('gateway', gateway)

  const ended = await createProcessRecords(file).sweep()

  t.strictSame(ended, ['kafka', 'gateway'])
  t.equal(findStartTime(gateway), null)
  t.equal(findStartTime(kafka), null)
  t.notOk(existsSync(file), 'and forgets them')
})

t.test('writes at once, readable by its owner alone', async t => {
  const file = join(t.testdir(), 'pids.json')
  const pid = await startProcess(t)

  createProcessRecords(file).add('postgres', pid, 'SIGINT')

  t.match(JSON.parse(readFileSync(file, 'utf8')), [{ name: 'postgres', pid, stopSignal: 'SIGINT' }])
  t.equal(statSync(file).mode & 0o777, 0o600)
})

t.test('leaves alone a process that has the pid of a recorded one and is another', async t => {
  const file = join(t.testdir(), 'pids.json')
  const pid = await startProcess(t)
  const startTime = findStartTime(pid) ?? ''
  writeFileSync(file, JSON.stringify([{ name: 'kafka', pid, startTime: `${startTime}0`, stopSignal: 'SIGKILL' }]))

  t.strictSame(await createProcessRecords(file).sweep(), [])
  t.ok(isAlive({ pid, startTime }))
})

t.test('reads a damaged file as an empty one', async t => {
  const file = join(t.testdir({ 'pids.json': '[{' }), 'pids.json')

  t.strictSame(await createProcessRecords(file).sweep(), [])
})

t.test('kills what does not heed its signal', { timeout: 30_000 }, async t => {
  const file = join(t.testdir(), 'pids.json')
  const pid = await startProcess(t, { ignores: 'SIGTERM' })
  const records = createProcessRecords(file)
  records.add('gateway', pid)

  t.strictSame(await records.sweep(), ['gateway'])
  t.equal(findStartTime(pid), null)
})

t.test('takes a dead process that nobody has reaped for dead', async t => {
  // A shell that never waits for its child: the child stays a zombie.
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => parent.kill('SIGKILL'))
  const [line] = await once(parent.stdout, 'data')
  const pid = Number(String(line).trim())

  while (process.platform === 'linux' && !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8')))
    await new Promise(resolve => setTimeout(resolve, 5))

  t.equal(findStartTime(pid), null)
  t.ok(process.kill(pid, 0), 'although signals still reach it')
})
