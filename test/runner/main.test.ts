import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..', '..')

t.test('says that its port is taken, and exits 2', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }

  const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', 'runner/main.ts'], {
    cwd: ROOT,
    env: {
      ...process.env,
      // Nobody is asked before.
      KAFKA_BROKERS: '127.0.0.1:1',
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing',
      HOST: '127.0.0.1',
      RUNNER_PORT: String(port)
    },
    encoding: 'utf8',
    timeout: 60_000
  })

  t.equal(status, 2)
  t.match(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''), {
    level: 60,
    msg: `HOST and RUNNER_PORT, 127.0.0.1:${port}, cannot be listened on: EADDRINUSE`
  })
})
