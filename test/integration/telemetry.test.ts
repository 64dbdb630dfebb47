import t from 'tap'
import { startProcesses } from '../_support/processes.ts'

t.test(
  'gateway and runner tell their own numbers and errors through their own topics',
  { timeout: 180_000 },
  async t => {
    const system = await startProcesses(t, { environment: { TELEMETRY_INTERVAL_MS: '300' } })
    const items = async (path: string) => {
      const response = await fetch(`${system.gatewayUrl}${path}`)
      return ((await response.json()) as { items: Record<string, unknown>[] }).items
    }
    // What the runner of notifications cannot mend: it stops that function, and says so.
    await system.sql`DROP TABLE notifications`
    await system.produce('notifications', [{ recipient: 'ops', channel: 'push', message: 'canary-7' }])

    await system.until(async () => (await items('/api/errors?service=runner')).length > 0, { timeoutMs: 60_000 })
    const [error] = await items('/api/errors?service=runner')
    t.match(error, {
      level: 'error',
      message: /^the function is stopped: .*relation "notifications" does not exist/,
      context: { topic: 'notifications', code: '42P01', source: /^runner@/ }
    })
    t.notMatch(JSON.stringify(error), 'canary-7')

    for (const part of ['gateway', 'runner']) {
      const isTold = async () =>
        (await items('/api/metrics?name=process.cpu.usage&limit=500')).some(({ source }) =>
          String(source).startsWith(part)
        )
      await system.until(isTold, { what: `${part} tells its numbers` })
    }
    t.ok((await items('/api/metrics?name=http.request.rate')).length > 0)
    t.ok((await items('/api/metrics?name=records.settled.rate')).length > 0)
    t.strictSame(await items('/api/dead-letters'), [], 'all of it is settled')
  }
)
