import t from 'tap'
import { startProcesses } from '../_support/processes.ts'

t.test('settles every accepted event once when the runner is killed between two batches', async t => {
  // A runner that is killed keeps its partitions for the session timeout.
  const system = await startProcesses(t, { environment: { CONSUMER_SESSION_TIMEOUT_MS: '6000' } })
  const events = Array.from({ length: 10_000 }, (_, index) => ({ userId: `user-${index % 50}`, action: `a${index}` }))

  const producing = system.produce('user-activities', events)
  await system.until(async () => (await system.ids('user_activities')).length > 0)
  await system.kill('runner-0', 'SIGKILL')
  const ids = (await producing).toSorted()
  const settled = await system.ids('user_activities')
  t.ok(settled.length < ids.length, `the kill came before the end, after ${settled.length}`)
  await system.startRunner('runner-0')
  await system.until(async () => (await system.lag('user-activities')) === 0, { timeoutMs: 60_000 })

  t.strictSame(await system.ids('user_activities'), ids)
  t.strictSame(await system.ids('messages'), ids)
  t.strictSame(await system.ids('dead_letters'), [])
})
