import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../random.ts'
import { type Member, SESSION_TIMEOUT_MS } from '../system.ts'
import { measureTakeOver, readAssigned } from '../take-over.ts'
import { type Fault, type FaultContext, seconds } from './fault.ts'
import { blameLostAnswers, restart } from './restart.ts'

const RUNNER_POINTS = [
  'before-begin',
  'after-effects',
  'before-commit',
  'after-commit',
  'before-offset-commit',
  'in-handler'
] as const

/** Rows 1 to 3: gateways and runners that die or freeze. */
export const processFaults: readonly Fault[] = [
  {
    row: 1,
    name: 'runner-killed',
    title: 'kill -9 of a runner',
    inject: ({ system, random, signal, isOnly }) =>
      repeat(system.isFull ? 100 : random.integer(1, 2), random, signal, async () => {
        const runner = random.pick(system.runners)
        const places = isOnly ? await readAssigned(system, runner) : []
        runner.process.signal('SIGKILL')
        system.note(`${runner.name} killed`)
        if (isOnly) await measureTakeOver(system, { places, signal })
      })
  },
  {
    row: 1,
    name: 'runners-killed',
    title: 'kill -9 of all runners at once',
    async inject({ system }) {
      for (const { process } of system.runners) process.signal('SIGKILL')
    }
  },
  ...RUNNER_POINTS.map(
    (point): Fault => ({
      row: 1,
      name: `runner-killed-${point}`,
      title: `a runner kills itself ${point}`,
      setup: random => ({ runner: failpoint(point, 'kill', point === 'in-handler' ? 800 : 25, random) }),
      inject: waitForDeath
    })
  ),
  {
    row: 1,
    name: 'handler-fails',
    title: 'handlers throw at a failpoint, now and then',
    setup: random => ({ runner: failpoint('in-handler', 'throw', 300, random) }),
    inject: async () => undefined
  },
  {
    row: 2,
    name: 'runner-frozen',
    title: 'SIGSTOP of a runner for longer than its session, then SIGCONT',
    async inject({ system, random, signal }) {
      const { name, process } = random.pick(system.runners)
      process.freeze()
      const frozenMs = Date.now()
      system.note(`${name} frozen`)
      await seconds(system.isFull ? 60 : SESSION_TIMEOUT_MS / 1000 + 2, signal)
      process.resume()
      // What it wrote after that would be a second effect, and the checker finds it.
      system.measure(`${name} was frozen for ${((Date.now() - frozenMs) / 1000).toFixed(1)} s`)
    }
  },
  {
    row: 2,
    name: 'runner-frozen-in-transaction',
    title: 'a runner freezes before a COMMIT, past its session',
    setup: random => ({ runner: failpoint('before-commit', `freeze:${SESSION_TIMEOUT_MS + 3_000}`, 20, random) }),
    inject: async ({ signal }) => seconds(SESSION_TIMEOUT_MS / 1000, signal)
  },
  {
    row: 2,
    name: 'runner-frozen-in-handler',
    title: 'a runner freezes in a handler, past its session, with records in hand',
    setup: random => ({ runner: failpoint('in-handler', `freeze:${SESSION_TIMEOUT_MS + 3_000}`, 900, random) }),
    inject: async ({ signal }) => seconds(SESSION_TIMEOUT_MS / 1000, signal)
  },
  {
    row: 3,
    name: 'gateway-killed',
    title: 'kill -9 of a gateway under load',
    inject: ({ system, random, signal }) =>
      repeat(random.integer(1, 2), random, signal, async () => {
        const { name, process } = random.pick(system.gateways)
        process.signal('SIGKILL')
        system.note(`${name} killed`)
      })
  },
  {
    row: 3,
    name: 'gateway-killed-before-answer',
    title: 'a gateway kills itself between the acknowledgement and the answer',
    setup: random => ({ gateway: failpoint('after-produce-before-ack', 'kill', 60, random) }),
    inject: async ({ signal }) => seconds(2, signal)
  },
  {
    row: 3,
    name: 'gateway-stopped',
    title: 'SIGTERM of a gateway: no request fails',
    async inject(context) {
      const { system, random } = context
      const gateway = random.pick(system.gateways)
      const fromMs = Date.now()
      gateway.hold()
      if (await gateway.process.end('SIGTERM', 20_000)) system.blame('I7', `${gateway.name} did not stop in 20 s`)
      const { code, reason } = await gateway.process.ended()
      if (code !== 0) system.blame('I7', `${gateway.name} stopped with ${reason}`)
      blameLostAnswers(gateway, fromMs, context)
      await sleep(500)
      gateway.release()
    }
  },
  {
    row: 16,
    name: 'rolling-restart',
    title: 'every gateway and runner is stopped by SIGTERM and started again, one after the other',
    async inject(context) {
      const { system, signal } = context
      for (const member of [...system.gateways, ...system.runners]) {
        if (signal.aborted) return
        await restart(member, context)
      }
    }
  },
  {
    row: 11,
    name: 'rebalance-storm',
    title: 'runners join and leave all the time',
    async inject({ system, random, signal }) {
      const rounds = system.isFull ? 60 : 4
      const added: Member[] = []
      for (let round = 0; round < rounds && !signal.aborted; round += 1) {
        if (added.length < (system.isFull ? 20 : 2)) added.push(await system.addRunner())
        await seconds(random.next(), signal)
        const leaving = random.pick(added)
        leaving.process.signal(random.chance(0.5) ? 'SIGKILL' : 'SIGTERM')
      }
    }
  }
]

async function repeat(times: number, random: Random, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  for (let time = 0; time < times && !signal.aborted; time += 1) {
    if (time > 0) await seconds(0.5 + random.next() * 2, signal)
    await act()
  }
}

function failpoint(point: string, action: string, within: number, random: Random): NodeJS.ProcessEnv {
  return { SMG_FAILPOINTS: `${point}=${action}@${random.integer(1, within)}` }
}

/** Says when a failpoint was never reached: then the fault did not happen. */
async function waitForDeath({ system, signal }: FaultContext): Promise<void> {
  const [runner] = system.runners
  for (let left = 40; runner && runner.process.starts() === 1 && runner.process.isRunning() && left > 0; left -= 1)
    await seconds(0.1, signal)
}
