import { spawn } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { takeLock } from '../../stack/lock.ts'
import { findStartTime } from '../../stack/processes.ts'

t.test('refuses a folder that a living process holds, naming both', t => {
  const folder = t.testdir()
  takeLock(join(folder, 'stack.lock'))

  t.throws(() => takeLock(join(folder, 'stack.lock')), {
    code: 'SMG_STACK_RUNNING',
    message: new RegExp(`process ${process.pid}.*${folder}.*SMG_DATA_DIR`)
  })
  t.end()
})

t.test('takes a folder that was released', t => {
  const folder = t.testdir()

  takeLock(join(folder, 'stack.lock'))()
  takeLock(join(folder, 'stack.lock'))()

  t.strictSame(readdirSync(folder), [], 'and leaves nothing behind')
  t.end()
})

const holders = [
  { when: 'was killed', holder: JSON.stringify({ pid: 2 ** 22, startTime: 'long ago' }) },
  {
    when: 'was killed, and its pid is in use again',
    holder: JSON.stringify({ pid: process.pid, startTime: 'long ago' })
  },
  { when: 'left half a file', holder: '{' }
]

for (const { when, holder } of holders) {
  t.test(`takes a folder whose holder ${when}`, t => {
    const folder = t.testdir({ 'stack.lock': holder })

    const release = takeLock(join(folder, 'stack.lock'))

    t.strictSame(readdirSync(folder), ['stack.lock'])
    release()
    t.end()
  })
}

t.test('gives a dead holder’s folder to one of many that want it at once', { timeout: 60_000 }, async t => {
  const folder = t.testdir()
  const file = join(folder, 'stack.lock')
  const script = `
    const { takeLock } = await import(${JSON.stringify(join(import.meta.dirname, '../../stack/lock.ts'))})
    while (Date.now() < ${Date.now() + 4_000}) {}
    try { takeLock(${JSON.stringify(file)}); console.log('mine') } catch (error) { console.log(error.code) }
    process.stdin.resume()`
  writeFileSync(file, JSON.stringify({ pid: 2 ** 22, startTime: 'long ago' }))

  const starts = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { stdio: 'pipe' })
    t.teardown(() => child.kill('SIGKILL'))
    return new Promise<string>(resolve => child.stdout.once('data', data => resolve(String(data).trim())))
  })
  const outcomes = (await Promise.all(starts)).sort()

  t.strictSame(outcomes, ['SMG_STACK_RUNNING', 'SMG_STACK_RUNNING', 'SMG_STACK_RUNNING', 'mine'])
  t.ok(existsSync(file))
  t.ok(findStartTime(process.pid))
})
