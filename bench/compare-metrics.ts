import { join } from 'node:path'
import { type Cell, runRounds } from './cells.ts'
import { OURS } from './contenders.ts'
import { cutBuild } from './cut-build.ts'
import { openDatabases } from './databases.ts'
import { drain } from './drain.ts'
import { type DrainResult, toDrainLine } from './drain-report.ts'
import { createLossLooks } from './kafka-loss.ts'
import { writeRequests } from './load/run-load.ts'
import { MB } from './memory.ts'
import { toCount, toNumber } from './options.ts'
import { type Measurement, summarise, toRatio, toTable } from './report.ts'
import type { Servers } from './servers.ts'
import { DIST, type Service, startService, toGatewayCommand, toRunnerCommand } from './services.ts'
import type { Report, Values } from './types.ts'
import { findCounted, METRICS_CUTS } from './without-metrics.ts'
import { makeSingles } from './workload.ts'

const WITHOUT = `${OURS}-without-metrics`

/** Single events, through a gateway and one without metrics in turn. */
export async function compareGateways(servers: Servers, values: Values): Promise<Report> {
  const databases = await openDatabases(servers.databaseUrl)
  const services: Service[] = []
  const findLoss = createLossLooks(servers.kafkaBrokers)
  try {
    const cells: Cell[] = []
    for (const [name, dist] of [
      [OURS, DIST],
      [WITHOUT, cutBuild(join(servers.site.dataFolder, 'gateway-without-metrics'), METRICS_CUTS)]
    ] as const) {
      const prefix = `${name}.`
      const databaseUrl = await databases.create(name.replaceAll('-', '_'))
      const place = { kafkaBrokers: servers.kafkaBrokers, databaseUrl, topicPrefix: prefix, groupPrefix: prefix }
      const service = await startService(servers, name, {
        toCommand: port => toGatewayCommand({ ...place, port }, { dist }),
        path: '/health/ready'
      })
      services.push(service)
      cells.push({
        ...toCell(servers, service, { name, values }),
        async check(result) {
          const loss = await findLoss(result, { topic: `${prefix}user-activities`, eventsPerRequest: 1 })
          return loss ?? (name === WITHOUT ? findCounted(service.url) : null)
        }
      })
    }
    return toReport(
      await runRounds(servers, cells, { rounds: toCount(values, 'rounds'), units: 'events' }),
      'µs server'
    )
  } finally {
    await Promise.all(services.map(service => service.stop()))
    await databases.close()
  }
}

function toCell(
  { site, pids }: Servers,
  service: Service,
  { name, values }: { readonly name: string; readonly values: Values }
): Cell {
  return {
    name,
    plan: {
      ...{ url: service.url, requestsPerSecond: null, expectedStatus: 202, answersFile: null },
      connections: toCount(values, 'connections'),
      seconds: toNumber(values, 'seconds'),
      requestsFile: writeRequests(site, name, makeSingles())
    },
    unitsPerRequest: 1,
    pids: { server: service.pid, kafka: pids.kafka }
  }
}

/** A topic into tables, through a runner and one without metrics in turn. */
export async function compareRunners(servers: Servers, values: Values): Promise<Report> {
  const results: DrainResult[] = []
  await drain(servers, {
    events: toCount(values, 'events'),
    rounds: toCount(values, 'rounds'),
    isCold: false,
    contenders: [
      { name: OURS, toCommand: run => toRunnerCommand(run) },
      {
        name: WITHOUT,
        toCommand: run => toRunnerCommand(run, { dist: cutBuild(run.folder, METRICS_CUTS) }),
        check: ({ env }) => findCounted(`http://127.0.0.1:${env.RUNNER_PORT}`)
      }
    ],
    onResult(result) {
      results.push(result)
      console.log(toDrainLine(result))
    }
  })
  return toReport(results.map(toMeasurement), 'µs runner')
}

function toMeasurement({ name, round, eventsPerSecond, cpu, maxMemoryBytes, void: why }: DrainResult): Measurement {
  const figures = {
    'events/s': eventsPerSecond,
    ...{ 'µs runner': cpu.self, 'µs postgres': cpu.postgres, 'µs kafka': cpu.kafka },
    'µs all': cpu.self + cpu.postgres + cpu.kafka,
    MB: maxMemoryBytes / MB
  }
  return { name, round, figures, void: why }
}

/** Both sides, and how often one goes into the other, round by round; `own` is the CPU of what is compared. */
function toReport(measurements: readonly Measurement[], own: string): Report {
  const summaries = summarise(measurements)
  const ratios = ['events/s', own].map(figure => toRatio(measurements, figure, [OURS, WITHOUT]))
  return {
    text: [toTable(summaries), ...ratios].join('\n'),
    data: { summaries, ratios, measurements },
    isVoid: measurements.some(measurement => measurement.void !== null)
  }
}
