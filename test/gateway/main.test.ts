import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'

const root = join(import.meta.dirname, '..', '..')

/** Ports that were free a moment ago: nobody answers there. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

async function environment(overrides: NodeJS.ProcessEnv = {}) {
  const [kafka, postgres, port] = await Promise.all([freePort(), freePort(), freePort()])
  const links = {
    KAFKA_BROKERS: `127.0.0.1:${kafka}`,
    DATABASE_URL: `postgres://canary:canary@127.0.0.1:${postgres}/smg`
  }
  return {
    PATH: process.env.PATH,
    ...links,
    PORT: String(port),
    PRODUCE_TIMEOUT_MS: '500',
    LOG_LEVEL: 'info',
    ...overrides
  }
}

function start(t: Test, env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'gateway/main.ts'], { cwd: root, env })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', chunk => {
    output.stdout += chunk
  })
  child.stderr.on('data', chunk => {
    output.stderr += chunk
  })
  t.teardown(() => child.kill('SIGKILL'))
  return { child, output, ended: endOf(child) }
}

function endOf(child: ChildProcess) {
  return new Promise<number | null>(resolve => child.once('close', code => resolve(code)))
}

const mistakes = [
  { when: 'a variable is wrong', env: { PORT: '-1' }, line: /^SMG_SDK_BAD_SETTING: PORT is "-1"; .*\n$/ },
  {
    when: 'the folder of functions is missing',
    env: { FUNCTIONS_DIR: '/no/such' },
    line: /^SMG_SDK_NO_FUNCTIONS: .*\n$/
  },
  { when: 'a function file is wrong', env: { FUNCTIONS_DIR: 'gateway/schemas' }, line: /^SMG_SDK_BAD_FILE: .*\n$/ },
  {
    when: 'security has no secret',
    env: { NODE_ENV: 'production' },
    line: /^SMG_GATEWAY_BAD_SETTING: JWT_SECRET .*\n$/
  },
  {
    when: 'a file of TLS is missing',
    env: { KAFKA_SSL: 'true', KAFKA_SSL_CA_FILE: '/no/such' },
    line: /^SMG_KAFKA_BAD_SETTING: .*\n$/
  }
]

for (const { when, env, line } of mistakes) {
  t.test(`prints one line and exits 2 when ${when}`, async t => {
    const { output, ended } = start(t, await environment(env))

    t.equal(await ended, 2)
    t.match(output.stderr, line)
    t.notMatch(output.stderr + output.stdout, /canary/)
  })
}

t.test('serves while Kafka and PostgreSQL are away, and ends cleanly on SIGTERM', async t => {
  const env = await environment({
    NODE_ENV: 'production',
    SECURITY_ENABLED: 'false',
    ALLOW_INSECURE_PRODUCTION: 'true'
  })
  const { child, output, ended } = start(t, env)
  const url = `http://127.0.0.1:${env.PORT}`
  await until(async () => (await fetch(`${url}/health/live`)).ok)

  const health = await fetch(`${url}/health`)
  const list = await fetch(`${url}/api/messages`)
  const produced = await fetch(`${url}/api/produce/user-activities`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"userId":"u","action":"a"}'
  })

  t.match([health.status, list.status, produced.status], [503, 503, 503])
  t.match(
    [list, produced].map(({ headers }) => headers.get('retry-after')),
    ['1', '1']
  )
  t.match(output.stdout, /production without security/)
  child.kill('SIGTERM')
  t.equal(await ended, 0)
  t.notMatch(output.stdout + output.stderr, /canary/)
})

t.test('says that its port is taken, and exits 2', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }

  const { output, ended } = start(t, await environment({ PORT: String(port) }))

  t.equal(await ended, 2)
  t.match(output.stderr, /^SMG_GATEWAY_PORT_TAKEN: .*EADDRINUSE\n$/)
})

async function until(holds: () => Promise<boolean>, timeoutMs = 20_000) {
  const deadlineMs = Date.now() + timeoutMs
  while (!(await holds().catch(() => false))) {
    if (Date.now() > deadlineMs) throw new Error(`did not come true within ${timeoutMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
