import { retry } from '../postgres.ts'
import type { System } from '../system.ts'
import { type Fault, type FaultContext, seconds } from './fault.ts'

/** Rows 4, 11 and 12: brokers that die, topics that change, commits and positions that are lost. */
export const kafkaFaults: readonly Fault[] = [
  {
    row: 4,
    name: 'only-broker-killed',
    title: 'kill -9 of the only broker',
    inject: context => bounce(context, 1)
  },
  {
    row: 4,
    name: 'only-broker-away',
    title: 'the only broker is killed and stays away until every runner says so',
    async inject({ system, signal }) {
      const [broker] = system.cluster.brokers
      await broker?.process.end('SIGKILL')
      await expectUnwell(system, signal)
      await broker?.process.start()
    }
  },
  {
    row: 4,
    name: 'broker-killed',
    title: 'kill -9 of one of three brokers',
    needs: ['three-brokers'],
    inject: context => bounce(context, 1)
  },
  {
    row: 4,
    name: 'leader-killed',
    title: 'kill -9 of the leader of a partition',
    needs: ['three-brokers'],
    async inject(context) {
      const { cluster, topicPrefix } = context.system
      const { topics } = await cluster.withAdmin(admin =>
        admin.fetchTopicMetadata({ topics: [`${topicPrefix}entries`] })
      )
      await bounce(context, 1, topics[0]?.partitions[0]?.leader)
    }
  },
  {
    row: 4,
    name: 'brokers-bounced',
    title: 'brokers are killed and started again, one after the other',
    needs: ['three-brokers'],
    inject: context => bounce(context, 5)
  },
  {
    row: 4,
    name: 'brokers-frozen',
    title: 'SIGSTOP of one of three brokers for longer than its session',
    needs: ['three-brokers'],
    async inject({ system, random, signal }) {
      const broker = random.pick(system.cluster.brokers)
      broker.process.freeze()
      await seconds(system.isFull ? 60 : 8, signal)
      broker.process.resume()
    }
  },
  {
    row: 4,
    name: 'all-brokers-down',
    title: 'all three brokers are killed at once and stay away',
    needs: ['three-brokers'],
    async inject({ system, signal }) {
      const { brokers } = system.cluster
      await Promise.all(brokers.map(({ process }) => process.end('SIGKILL')))
      await expectRefusals(system, signal)
      await seconds(system.isFull ? 60 : 3, signal)
      await Promise.all(brokers.map(({ process }) => process.start()))
    }
  },
  {
    row: 11,
    name: 'partitions-added',
    title: 'a topic gets more partitions while it is written',
    setup: () => ({ movesKeys: true }),
    async inject({ system, random }) {
      const topic = `${system.topicPrefix}${random.pick(['entries', 'ledger'])}`
      await retry(() =>
        system.cluster.withAdmin(admin =>
          admin.createPartitions({ topicPartitions: [{ topic, count: random.integer(4, 6) }] })
        )
      )
    }
  },
  {
    row: 12,
    name: 'commits-reset',
    title: 'the commits in Kafka are set to earliest: positions are PostgreSQL’s, and nothing happens',
    async inject({ system }) {
      for (const runner of system.runners) runner.hold()
      await Promise.all(system.runners.map(({ process }) => process.end('SIGTERM')))
      for (const topic of ['entries', 'ledger', 'poison']) {
        await retry(() =>
          system.cluster.withAdmin(admin =>
            admin.resetOffsets({
              groupId: `${system.groupPrefix}${topic}`,
              topic: `${system.topicPrefix}${topic}`,
              earliest: true
            })
          )
        ).catch(error => system.note(`${topic} was not reset: ${(error as Error).message}`))
      }
      for (const runner of system.runners) runner.release()
    }
  },
  {
    row: 12,
    name: 'positions-lost',
    title: 'all positions are deleted under running runners: everything is read again, and nothing has a second effect',
    setup: () => ({ rewinds: true }),
    async inject({ system }) {
      await retry(() => system.database.sql`DELETE FROM topic_status`)
    }
  },
  {
    row: 12,
    name: 'positions-rewound',
    title: 'a position is set back under running runners',
    setup: () => ({ rewinds: true }),
    async inject({ system, random }) {
      const partition = random.integer(0, 2)
      await retry(
        () => system.database.sql`
          UPDATE topic_status SET next_offset = next_offset / 2 WHERE topic IN ('entries', 'ledger') AND partition = ${partition}`
      )
    }
  }
]

async function bounce({ system, random, signal }: FaultContext, times: number, id?: number): Promise<void> {
  const { brokers } = system.cluster
  for (let time = 0; time < times && !signal.aborted; time += 1) {
    const broker = brokers.find(one => one.id === id) ?? random.pick(brokers)
    system.note(`kafka-${broker.id} killed`)
    await broker.process.end('SIGKILL')
    await seconds(0.5 + random.next(), signal)
    await broker.process.start()
  }
}

/** Without Kafka a gateway says so within its deadline, and when to come again. */
async function expectRefusals(system: System, signal: AbortSignal): Promise<void> {
  await seconds(1, signal)
  for (const { name, url, process } of system.gateways) {
    if (!process.isRunning()) continue
    const startedMs = Date.now()
    // Not an event: only what is refused at once or late counts here, and nothing of it may be written.
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(10_000) }).catch(() => null)
    const ms = Date.now() - startedMs
    if (answer?.status !== 503)
      system.blame('I9', `${name} answers ${answer?.status} to /health without a broker, after ${ms} ms`)
  }
}

const UNWELL_SECONDS = 60

/** A runner that reads nothing any more says so. */
async function expectUnwell(system: System, signal: AbortSignal): Promise<void> {
  const left = new Set(system.runners.filter(({ process }) => process.isRunning()))
  for (let second = 0; second < UNWELL_SECONDS && left.size > 0 && !signal.aborted; second += 1) {
    await seconds(1, signal)
    for (const runner of left) {
      const answer = await fetch(`${runner.url}/health`, { signal: AbortSignal.timeout(2_000) }).catch(() => null)
      const { status } = ((await answer?.json().catch(() => null)) ?? {}) as { status?: string }
      if (status !== 'ok') left.delete(runner)
    }
  }
  for (const { name } of left)
    system.blame('I9', `${name} says ok, ${UNWELL_SECONDS} s after the only broker went away`)
}
