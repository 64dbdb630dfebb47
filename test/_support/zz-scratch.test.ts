import t from 'tap'
import { startProcesses } from './processes.ts'
t.test('x', { timeout: 90000 }, async t => {
  const t0 = performance.now(); const at = (w: string) => t.comment(w, Math.round(performance.now()-t0))
  const p = await startProcesses(t)
  at('ready')
  const ids = await p.produce('user-activities', Array.from({length: 2500}, (_, i) => ({ userId: 'u' + i, action: 'x' })))
  at('produced ' + ids.length)
  await p.until(async () => (await p.ids('user_activities')).length === ids.length)
  at('settled')
  t.strictSame(await p.ids('messages'), ids.toSorted())
  t.equal(await p.lag('user-activities'), 0)
  await p.kill('runner-0', 'SIGKILL')
  at('runner killed')
  if (process.env.CRASH) process.kill(process.pid, 'SIGKILL')
  if (process.env.CRASHTAP) process.kill(process.ppid, 'SIGKILL')
})
