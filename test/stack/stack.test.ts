import { appendFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { sendSignal } from '../../stack/processes.ts'
import { createTestDatabase } from '../_support/database.ts'
import { testStack } from '../_support/stack.ts'
import { prepareStack, statusOf } from './_support.ts'

t.test('npm start on servers of the user', { timeout: 230_000 }, async t => {
  const { databaseUrl, sql } = await createTestDatabase(t)
  const { kafkaBrokers } = testStack()
  const prefix = `t${process.pid}.`
  const links = { DATABASE_URL: databaseUrl, KAFKA_BROKERS: kafkaBrokers, TOPIC_PREFIX: prefix, GROUP_PREFIX: prefix }
  const stack = await prepareStack(t)
  const running = stack.start({ ...links, RUNNERS: '2' })
  await running.untilReady()

  t.test('starts the parts on them', async t => {
    const { pids, runnerUrls, ...state } = stack.state()

    t.match(state, { databaseUrl, kafkaBrokers })
    t.equal(runnerUrls.length, 2)
    t.strictSame(Object.keys(pids), ['gateway', 'runners'])
  })

  t.test('starts a part again when it is killed, under the same address', async t => {
    const before = stack.state()

    sendSignal(before.pids.gateway ?? 0, 'SIGKILL')
    await running.until(() => running.output().includes('gateway is back'))

    const after = stack.state()
    t.not(after.pids.gateway, before.pids.gateway)
    t.equal(after.gatewayUrl, before.gatewayUrl)
    t.strictSame(after.pids.runners, before.pids.runners)
    t.match(running.output(), 'gateway died (signal SIGKILL); it starts again in 0.5 s')
  })

  t.test('starts the parts again when a function changes, and waits when it is broken', async t => {
    const before = stack.state()
    const broken = join(stack.functions, 'broken.ts')

    appendFileSync(join(stack.functions, 'greetings.ts'), '\n')
    await running.until(() => ['runner-0', 'runner-1'].every(name => running.output().includes(`${name} is back`)))
    t.notMatch(stack.state().pids.runners, before.pids.runners)

    writeFileSync(broken, 'export default 7\n')
    await running.until(() => (running.output().match(/stopped, see above/g) ?? []).length === 3)
    t.match(running.output(), 'broken.ts')

    rmSync(broken)
    await running.until(async () => (await statusOf(`${stack.state().gatewayUrl}/health/ready`)) === 200)
  })

  t.test('stops on SIGTERM with exit code 0, and leaves the servers alone', async t => {
    running.signal('SIGTERM')

    t.match(await running.ended, { code: 0 })
    t.strictSame(stack.recorded(), [])
    t.equal((await sql`SELECT 1 AS one`)[0]?.one, 1)
  })

  t.test('stops for a function that is broken, after ending what it had started', async t => {
    writeFileSync(join(stack.functions, 'broken.ts'), 'export default 7\n')

    const second = stack.start(links)

    t.match(await second.ended, { code: 1 })
    t.match(second.output(), /broken\.ts/)
    t.match(second.output(), /did not start \(exit code 2\): see above/)
    t.strictSame(stack.recorded(), [])
  })
})
