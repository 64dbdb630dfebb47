import { randomBytes } from 'node:crypto'
import { type Cell, runRounds } from '../cells.ts'
import { openDatabases } from '../databases.ts'
import { createLossLooks } from '../kafka-loss.ts'
import type { PlannedRequest } from '../load/plan.ts'
import { writeRequests } from '../load/run-load.ts'
import { toCount, toCounts, toNumber } from '../options.ts'
import { summarise, toRatio, toTable } from '../report.ts'
import type { Servers } from '../servers.ts'
import { type Service, startService, toContenderCommand, toGatewayCommand } from '../services.ts'
import { createTopic } from '../topics.ts'
import type { Bench, Values } from '../types.ts'
import { makeBatches, makeSingles } from '../workload.ts'

/** HTTP into the topic: our routes beside a plain one. */
export const produceBench: Bench = {
  options: {
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '32,64' },
    batches: { type: 'string', default: '100,1000' },
    'batch-connections': { type: 'string', default: '4' }
  },

  async run(servers, values) {
    const prefix = `b${randomBytes(4).toString('hex')}.`
    const sides = await startSides(servers, prefix)
    try {
      const cells = await toCells(servers, values, sides)
      const measurements = await runRounds(servers, cells, { rounds: toCount(values, 'rounds'), units: 'events' })
      const summaries = summarise(measurements)
      const ratios = toPairs(values).map(pair => toRatio(measurements, ...pair))
      return {
        text: [toTable(summaries), ...ratios, NOTE].join('\n'),
        data: { summaries, ratios, measurements },
        isVoid: measurements.some(measurement => measurement.void !== null)
      }
    } finally {
      await sides.stop()
    }
  }
}

const NOTE = 'Ours logs a line a request into a file, as in production; the plain route logs nothing.'

interface Side {
  readonly service: Service
  /** Its name in Kafka. */
  readonly topic: string
}

async function startSides(servers: Servers, prefix: string) {
  const { kafkaBrokers } = servers
  const databases = await openDatabases(servers.databaseUrl)
  const databaseUrl = await databases.create('bench_produce')
  const place = { kafkaBrokers, databaseUrl, topicPrefix: prefix, groupPrefix: prefix }
  const ours = await startService(servers, 'gateway', {
    toCommand: port => toGatewayCommand({ ...place, port }),
    path: '/health/ready'
  })
  const topic = `${prefix}plain`
  await createTopic(kafkaBrokers, topic)
  const plain = await startService(servers, 'plain', {
    toCommand: port =>
      toContenderCommand('plain-fastify', { KAFKA_BROKERS: kafkaBrokers, BENCH_TOPIC: topic, PORT: String(port) }),
    path: '/health/ready'
  })

  return {
    ours: { service: ours, topic: `${prefix}user-activities` },
    plain: { service: plain, topic },
    async stop() {
      await Promise.all([ours.stop(), plain.stop()])
      await databases.close()
    }
  }
}

async function toCells(
  servers: Servers,
  values: Values,
  { ours, plain }: { readonly ours: Side; readonly plain: Side }
): Promise<Cell[]> {
  const seconds = toNumber(values, 'seconds')
  const singles = makeSingles()
  const findLoss = createLossLooks(servers.kafkaBrokers)
  const single = toCounts(values, 'connections').flatMap(connections => [
    toCell(`ours, ${connections} connections`, ours, { requests: singles, connections, events: 1 }),
    toCell(`plain, ${connections} connections`, plain, { requests: singles, connections, events: 1 })
  ])
  const batches = toCounts(values, 'batches').map(events => {
    const connections = toCount(values, 'batch-connections')
    return toCell(`ours, batches of ${events}`, ours, { requests: makeBatches(events), connections, events })
  })
  return Promise.all([...single, ...batches])

  async function toCell(
    name: string,
    { service, topic }: Side,
    load: { readonly requests: readonly PlannedRequest[]; readonly connections: number; readonly events: number }
  ): Promise<Cell> {
    const { connections, events } = load
    return {
      name,
      plan: {
        ...{ url: service.url, connections, seconds, requestsPerSecond: null, expectedStatus: 202, answersFile: null },
        requestsFile: writeRequests(servers.site, `requests-${events}`, load.requests)
      },
      unitsPerRequest: events,
      pids: { server: service.pid, ...servers.pids },
      check: result => findLoss(result, { topic, eventsPerRequest: events })
    }
  }
}

/** Which figures of which names are compared below the table. */
function toPairs(values: Values): [figure: string, names: readonly [string, string]][] {
  const connections = toCounts(values, 'connections')
  const sides = connections.flatMap(count => {
    const names = [`ours, ${count} connections`, `plain, ${count} connections`] as const
    return ['events/s', 'µs all', 'µs server', 'µs kafka', 'p99 ms'].map(figure => [figure, names] as const)
  })
  const batches = toCounts(values, 'batches').flatMap(size => {
    const names = [`ours, batches of ${size}`, `ours, ${connections.at(-1)} connections`] as const
    return ['events/s', 'µs all'].map(figure => [figure, names] as const)
  })
  return [...sides, ...batches].map(([figure, names]) => [figure, names])
}
