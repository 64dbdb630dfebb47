import { type ChildProcess, spawn } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createPortFinder, isFree } from '../../stack/ports.ts'
import { createProcessRecords, readRecords } from '../../stack/process-records.ts'
import { findStartTime, sendSignal } from '../../stack/processes.ts'
import type { StackState } from '../../stack/state-file.ts'
import { createTestDatabase } from '../_support/database.ts'
import { testStack } from '../_support/stack.ts'

const ROOT = join(import.meta.dirname, '..', '..')

interface Started {
  readonly child: ChildProcess
  output(): string
  /** The exit code; rejects when it takes longer than a stop may. */
  readonly ended: Promise<number | null>
}

const FUNCTION = `import { defineFunction, Type } from 'smg-kafka'
export default defineFunction({ event: Type.Object({ name: Type.String() }) })
`

/** A data folder, ports and functions of its own. */
async function prepareStack(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'smg-stack-'))
  // PostgreSQL's user must reach it when the test runs as root.
  chmodSync(folder, 0o755)
  const dataFolder = join(folder, 'data')
  // Inside of the checkout: a function file imports the package by its name.
  const functions = t.testdir({ 'greetings.ts': FUNCTION })
  const findPort = createPortFinder()
  const environment = {
    ...process.env,
    SMG_DATA_DIR: dataFolder,
    PORT: String(await findPort(0)),
    RUNNER_PORT: String(await findPort(0)),
    KAFKA_PORT: String(await findPort(0)),
    POSTGRES_PORT: String(await findPort(0)),
    // A runner that is killed keeps its partitions for this long.
    CONSUMER_SESSION_TIMEOUT_MS: '6000',
    TELEMETRY_INTERVAL_MS: '0',
    LOG_LEVEL: 'info'
  }
  t.teardown(async () => {
    await createProcessRecords(join(dataFolder, 'pids.json')).sweep()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  })

  return {
    dataFolder,
    functions,
    environment,
    start(overrides: NodeJS.ProcessEnv = {}): Started {
      const child = spawn(process.execPath, ['--import', 'tsx', join(ROOT, 'stack', 'main.ts')], {
        cwd: ROOT,
        env: { ...environment, ...overrides },
        stdio: ['ignore', 'pipe', 'pipe']
      })
      t.teardown(() => child.kill('SIGKILL'))
      let text = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (text += chunk))
      return { child, output: () => text, ended: new Promise(resolve => child.once('close', resolve)) }
    },
    state: (): StackState => JSON.parse(readFileSync(join(dataFolder, 'stack.json'), 'utf8')),
    recorded: () => readRecords(join(dataFolder, 'pids.json')).map(({ pid }) => pid)
  }
}

async function until(stack: Started, holds: () => boolean | Promise<boolean>, timeoutMs = 60_000) {
  for (const deadline = Date.now() + timeoutMs; !(await holds()); await sleep(50))
    if (Date.now() > deadline) throw new Error(`did not come true: ${holds}\n${stack.output().slice(-6_000)}`)
}

const isReady = (stack: Started) => () => {
  if (stack.child.exitCode !== null) throw new Error(`ended: ${stack.output().slice(-6_000)}`)
  return stack.output().includes('"msg":"ready after')
}

const statusOf = (url: string) =>
  fetch(url).then(
    ({ status }) => status,
    () => 0
  )

t.test('npm start', { timeout: 240_000 }, async t => {
  const stack = await prepareStack(t)
  const taken = createServer().listen(Number(stack.environment.PORT), '127.0.0.1')
  t.teardown(() => taken.close())
  let running = stack.start({ FUNCTIONS_DIR: stack.functions })
  await until(running, isReady(running))

  t.test('brings everything up, and says where it is', async t => {
    const { gatewayUrl, runnerUrls, databaseUrl, kafkaBrokers, pids } = stack.state()

    t.equal(statSync(join(stack.dataFolder, 'stack.json')).mode & 0o777, 0o600)
    t.equal(await statusOf(`${gatewayUrl}/health/ready`), 200)
    t.equal(await statusOf(`${runnerUrls[0]}/health/ready`), 200)
    t.equal(kafkaBrokers, `127.0.0.1:${stack.environment.KAFKA_PORT}`)
    t.match([pids.gateway, ...pids.runners, pids.kafka, pids.postgres], Array(4).fill(Number))
    t.notMatch(running.output(), new RegExp(new URL(databaseUrl).password), 'the password is in no line')
  })

  t.test('takes another port for a taken one, and says so', t => {
    const { gatewayUrl } = stack.state()

    t.not(new URL(gatewayUrl).port, stack.environment.PORT)
    t.match(running.output(), `port ${stack.environment.PORT} is taken: gateway listens on ${new URL(gatewayUrl).port}`)
    t.end()
  })

  t.test('refuses a second start in the same data folder', async t => {
    const second = stack.start()

    t.equal(await second.ended, 1)
    t.match(second.output(), /^Another npm start \(process \d+\) runs in .*: stop it first/)
    t.equal(await statusOf(`${stack.state().gatewayUrl}/health/ready`), 200, 'the first one does not notice')
  })

  for (const part of ['gateway', 'kafka', 'postgres'] as const) {
    t.test(`starts ${part} again when it is killed, under the same address`, async t => {
      const before = stack.state()

      sendSignal(before.pids[part] ?? 0, 'SIGKILL')
      await until(running, () => running.output().includes(`${part} is back`))

      const after = stack.state()
      t.not(after.pids[part], before.pids[part])
      t.strictSame({ ...after, pids: {} }, { ...before, pids: {} })
      t.match(running.output(), `${part} died (signal SIGKILL)`)
    })
  }

  t.test('stops on SIGINT with exit code 0, and leaves nothing running', async t => {
    const pids = stack.recorded()
    t.equal(pids.length, 4)

    const stoppedAt = Date.now()
    running.child.kill('SIGINT')
    running.child.kill('SIGINT')

    t.equal(await running.ended, 0)
    t.ok(Date.now() - stoppedAt < 17_000)
    t.strictSame(pids.map(findStartTime), [null, null, null, null])
    t.notOk(existsSync(join(stack.dataFolder, 'stack.json')))
    t.ok(await isFree(Number(stack.environment.KAFKA_PORT)))
  })

  t.test('ends what its own kill -9 left running, at the next start', async t => {
    running = stack.start({ FUNCTIONS_DIR: stack.functions })
    await until(running, isReady(running))
    const left = stack.recorded()
    running.child.kill('SIGKILL')
    await running.ended
    t.ok(left.every(pid => findStartTime(pid) !== null))

    running = stack.start({ FUNCTIONS_DIR: stack.functions })
    await until(running, isReady(running))

    t.match(running.output(), /ended what an earlier start had left running: .*gateway/)
    t.strictSame(left.map(findStartTime), [null, null, null, null])
  })

  t.test('starts the parts again when a function changes, and waits when it is broken', async t => {
    const before = stack.state()

    appendFileSync(join(stack.functions, 'greetings.ts'), '\n')
    await until(
      running,
      () => running.output().includes('gateway is back') && running.output().includes('runner-0 is back')
    )
    t.not(stack.state().pids.gateway, before.pids.gateway)

    writeFileSync(join(stack.functions, 'broken.ts'), 'export default 7\n')
    await until(running, () => (running.output().match(/stopped, see above/g) ?? []).length === 2)
    t.match(running.output(), 'broken.ts')

    rmSync(join(stack.functions, 'broken.ts'))
    await until(running, async () => (await statusOf(`${stack.state().gatewayUrl}/health/ready`)) === 200)
  })

  t.test('stops on SIGTERM with exit code 0', async t => {
    running.child.kill('SIGTERM')

    t.equal(await running.ended, 0)
    t.strictSame(stack.recorded(), [])
  })
})

t.test('npm start stops at once for a setting that is wrong', async t => {
  const stack = await prepareStack(t)

  const running = stack.start({ RUNNERS: 'many' })

  t.equal(await running.ended, 2)
  t.match(running.output(), /^RUNNERS is "many"; it may be a whole number from 0 to 64/)
  t.notOk(existsSync(stack.dataFolder), 'nothing was made')
})

t.test('npm start on servers of the user', { timeout: 60_000 }, async t => {
  const { databaseUrl, sql } = await createTestDatabase(t)
  const { kafkaBrokers } = testStack()
  const prefix = `t${process.pid}.`
  const links = { DATABASE_URL: databaseUrl, KAFKA_BROKERS: kafkaBrokers, TOPIC_PREFIX: prefix, GROUP_PREFIX: prefix }
  const stack = await prepareStack(t)

  t.test('starts two runners on them, and leaves them alone at the stop', async t => {
    const running = stack.start({ ...links, RUNNERS: '2', FUNCTIONS_DIR: stack.functions })
    await until(running, isReady(running))
    const { pids, runnerUrls, ...state } = stack.state()

    t.match(state, { databaseUrl, kafkaBrokers })
    t.equal(runnerUrls.length, 2)
    t.strictSame(Object.keys(pids), ['gateway', 'runners'])
    running.child.kill('SIGTERM')
    t.equal(await running.ended, 0)
    t.equal((await sql`SELECT 1 AS one`)[0]?.one, 1)
    t.strictSame(stack.recorded(), [])
  })

  t.test('stops for a function that is broken, after ending what it had started', async t => {
    writeFileSync(join(stack.functions, 'broken.ts'), 'export default 7\n')

    const running = stack.start({ ...links, FUNCTIONS_DIR: stack.functions })

    t.equal(await running.ended, 1)
    t.match(running.output(), /broken\.ts/)
    t.match(running.output(), /did not start \(exit code 2\): see above/)
    t.strictSame(stack.recorded(), [])
  })
})
