import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'

const ROOT = join(import.meta.dirname, '..', '..')
const WATCHDOG = JSON.stringify(join(ROOT, 'runner', 'watchdog.ts'))

/** A process with a watchdog of one second that runs `code`. */
function start(t: Test, code: string) {
  const script = `const { startWatchdog } = await import(${WATCHDOG})
    const watchdog = startWatchdog({ limitMs: 1_000 })
    console.log('started')
    ${code}`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { cwd: ROOT })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', text => {
    stderr += text
  })
  return { child, started: once(child.stdout, 'data'), ended: once(child, 'exit'), stderr: () => stderr }
}

t.test('rule 18: kills a process whose event loop stands still, and says why', { timeout: 30_000 }, async t => {
  const { ended, stderr } = start(t, 'setTimeout(() => { for (;;); }, 100)')

  const [, signal] = await ended

  t.equal(signal, 'SIGKILL')
  t.match(stderr(), /"msg":"the event loop stands still for more than 1000 ms/)
})

t.test('rule 18: leaves a process alone that was stopped and goes on', { timeout: 30_000 }, async t => {
  const { child, started, ended } = start(t, 'setTimeout(() => process.exit(7), 6_000)')
  await started

  child.kill('SIGSTOP')
  await sleep(4_000)
  child.kill('SIGCONT')

  t.strictSame(await ended, [7, null])
})

t.test('rule 18: leaves a process alone that is busy and yet has its turns', { timeout: 30_000 }, async t => {
  const { ended } = start(
    t,
    `const endMs = Date.now() + 4_000
    function compute() {
      for (const untilMs = Date.now() + 400; Date.now() < untilMs; );
      if (Date.now() < endMs) setTimeout(compute, 1)
      else process.exit(7)
    }
    compute()`
  )

  t.strictSame(await ended, [7, null])
})

t.test('rule 18: does not keep a process alive, and can be stopped', { timeout: 30_000 }, async t => {
  t.strictSame(await start(t, '').ended, [0, null])
  t.strictSame(await start(t, 'await watchdog.stop()').ended, [0, null])
})
