import { existsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { isFree } from '../../stack/ports.ts'
import { findStartTime, sendSignal } from '../../stack/processes.ts'
import { prepareStack, statusOf } from './_support.ts'

// `npm start` with a Kafka and a PostgreSQL of its own; stack.test.ts has it on servers that are there.
t.test('npm start', { timeout: 230_000 }, async t => {
  const stack = await prepareStack(t)
  const taken = createServer().listen(Number(stack.environment.PORT), '127.0.0.1')
  t.teardown(() => taken.close())
  let running = stack.start()
  await running.untilReady()

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
    const { port } = new URL(stack.state().gatewayUrl)

    t.not(port, stack.environment.PORT)
    t.match(running.output(), `port ${stack.environment.PORT} is taken: gateway listens on `)
    t.end()
  })

  t.test('refuses a second start in the same data folder', async t => {
    const second = stack.start()

    t.match(await second.ended, { code: 1 })
    t.match(second.output(), /^Another npm start \(process \d+\) runs in .*: stop it first/)
    t.equal(await statusOf(`${stack.state().gatewayUrl}/health/ready`), 200, 'the first one does not notice')
  })

  for (const part of ['kafka', 'postgres'] as const) {
    t.test(`starts ${part} again when it is killed, under the same address`, async t => {
      const before = stack.state()

      sendSignal(before.pids[part] ?? 0, 'SIGKILL')
      await running.until(() => running.output().includes(`${part} is back`))

      const after = stack.state()
      t.not(after.pids[part], before.pids[part])
      t.strictSame({ ...after, pids: {} }, { ...before, pids: {} })
      t.match(running.output(), `${part} died (signal SIGKILL)`)
    })
  }

  t.test('ends what its own kill -9 left running, at the next start', async t => {
    const left = stack.recorded()
    t.equal(left.length, 4)
    running.signal('SIGKILL')
    await running.ended
    t.notOk(left.map(findStartTime).includes(null))

    running = stack.start()
    await running.untilReady()

    t.match(running.output(), /ended what an earlier start had left running: .*gateway/)
    t.strictSame(left.map(findStartTime), [null, null, null, null])
  })

  t.test('stops on SIGINT with exit code 0, and leaves nothing running', async t => {
    const pids = stack.recorded()
    t.equal(pids.length, 4)

    running.signal('SIGINT')
    running.signal('SIGINT')

    t.match(await running.ended, { code: 0 })
    t.strictSame(pids.map(findStartTime), [null, null, null, null])
    t.notOk(existsSync(join(stack.dataFolder, 'stack.json')))
    t.ok(await isFree(Number(stack.environment.KAFKA_PORT)))
  })
})

t.test('npm start stops at once for a setting that is wrong', async t => {
  const stack = await prepareStack(t)

  const running = stack.start({ RUNNERS: 'many' })

  t.match(await running.ended, { code: 2 })
  t.match(running.output(), /^RUNNERS is "many"; it may be a whole number from 0 to 64/)
  t.notOk(existsSync(stack.dataFolder), 'nothing was made')
})
