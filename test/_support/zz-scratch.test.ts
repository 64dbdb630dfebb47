import t from 'tap'
import { startProcesses } from './processes.ts'
t.test('x', { timeout: 90000 }, async t => {
  const t0 = performance.now(); const at = (w: string) => console.error(w, Math.round(performance.now()-t0))
  const p = await startProcesses(t, { environment: { LOG_LEVEL: 'debug' } })
  at('ready'); for (const n of ['gateway','runner-0']) console.error(p.output(n).split('\n').map(l => { try { const d = JSON.parse(l); return 'L ' + (d.time % 100000) + ' ' + n + ' ' + [d.msg, d.error, d.err?.message, d.topic, d.duration].join(' ').slice(0, 200) } catch { return l } }).join('\n'))
  const ids = await p.produce('user-activities', Array.from({length: 2500}, (_, i) => ({ userId: 'u' + i, action: 'x' }))).catch(e => { console.error(e); return [] })
  at('produced ' + ids.length)
  await p.until(async () => (await p.ids('user_activities')).length === ids.length).catch(e => console.error(String(e).slice(0, 3000)))
  at('settled')
  t.strictSame(await p.ids('messages'), ids.toSorted())
  const pid = p.pids.get('runner-0') ?? 0
  process.kill(pid, 'SIGTERM'); const t1 = performance.now()
  await p.until(() => !p.pids.has('runner-0'), { timeoutMs: 25000 }).catch(e => console.error('no end'))
  at('runner ended')
  console.error(p.output('runner-0').split('\n').slice(-14).map(l => l.slice(0, 300)).join('\n'))
})
