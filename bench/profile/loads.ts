import { randomBytes } from 'node:crypto'
import { openDatabases } from '../databases.ts'
import { drain } from '../drain.ts'
import { runLoad, writeRequests } from '../load/run-load.ts'
import { toCount, toNumber } from '../options.ts'
import type { Servers } from '../servers.ts'
import { startService, toGatewayCommand, toRunnerCommand } from '../services.ts'
import { countRecords } from '../topics.ts'
import type { Values } from '../types.ts'
import { makeSingles } from '../workload.ts'

interface ProfileOptions {
  readonly values: Values
  /** Of the process that is profiled. It writes when it ends. */
  readonly flags: readonly string[]
}

/** Lets the runner drain a topic; throws when not each event came in once. */
export async function profileDrain(servers: Servers, { values, flags }: ProfileOptions): Promise<void> {
  const faults: (string | null)[] = []
  const isCold = values.cold === true
  let runs = 0
  await drain(servers, {
    events: toCount(values, 'events'),
    rounds: 1,
    isCold,
    contenders: [
      {
        name: 'profiled',
        // The first one warms the servers.
        toCommand: run => toRunnerCommand({ ...run, flags: runs++ === 0 && !isCold ? [] : flags })
      }
    ],
    onResult: result => faults.push(result.void)
  })
  failOn(faults.find(fault => fault !== null))
}

/** Keeps the gateway busy with single events; throws when one failed. */
export async function profileProduce(servers: Servers, { values, flags }: ProfileOptions): Promise<void> {
  const prefix = `b${randomBytes(4).toString('hex')}.`
  const databases = await openDatabases(servers.databaseUrl)
  const { kafkaBrokers } = servers
  const place = { kafkaBrokers, topicPrefix: prefix, groupPrefix: prefix, flags }
  const databaseUrl = await databases.create('bench_profile')
  const gateway = await startService(servers, 'gateway', {
    toCommand: port => toGatewayCommand({ ...place, databaseUrl, port }),
    path: '/health/ready'
  })
  try {
    const { requests, firstFailure } = await runLoad(servers.site, {
      ...{ url: gateway.url, requestsPerSecond: null, expectedStatus: 202, answersFile: null },
      connections: toCount(values, 'connections'),
      seconds: toNumber(values, 'seconds'),
      requestsFile: writeRequests(servers.site, 'requests', makeSingles())
    })
    const records = await countRecords(kafkaBrokers, `${prefix}user-activities`)
    failOn(firstFailure ?? (records < requests && `${requests} events acknowledged, ${records} in Kafka`))
  } finally {
    await gateway.stop()
    await databases.close()
  }
}

function failOn(fault: string | false | null | undefined): void {
  if (fault) throw new Error(`the load came to no good end: ${fault}`)
}
