import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Drainer } from './contenders.ts'
import { openDatabases } from './databases.ts'
import { readLogBytes } from './disk.ts'
import { drainOnce } from './drain-once.ts'
import type { DrainResult } from './drain-report.ts'
import { fillTopic, makeEvents } from './events.ts'
import type { Servers } from './servers.ts'

export interface DrainOptions {
  readonly events: number
  readonly rounds: number
  /** No round before the first warms the servers: for a look at whether it works. */
  readonly isCold: boolean
  readonly contenders: readonly Drainer[]
  readonly onResult: (result: DrainResult) => void
}

const TOPIC = 'user-activities'

/** Lets contenders drain the same topic into databases of their own, in turn. */
export async function drain(servers: Servers, options: DrainOptions): Promise<void> {
  const { site, kafkaBrokers, databaseUrl } = servers
  const events = makeEvents(options.events)
  const topicPrefix = `b${randomBytes(4).toString('hex')}.`
  const eventsFile = join(site.dataFolder, 'events.json')
  writeFileSync(eventsFile, JSON.stringify(events))
  await fillTopic(kafkaBrokers, `${topicPrefix}${TOPIC}`, events)
  const logBytes = readLogBytes(servers, `${topicPrefix}${TOPIC}`) / events.length

  const databases = await openDatabases(databaseUrl)
  try {
    // Round 0 warms the servers, and does not count.
    for (let round = options.isCold ? 1 : 0; round <= options.rounds; round += 1) {
      // Whoever comes second finds another machine: each is first in every other round.
      const inTurn = round % 2 === 0 ? options.contenders : options.contenders.toReversed()
      for (const contender of inTurn) {
        const result = await runOnce(contender, round)
        if (round > 0 || result.void !== null) options.onResult(result)
      }
    }
  } finally {
    await databases.close()
  }

  async function runOnce(contender: Drainer, round: number): Promise<DrainResult> {
    const name = `bench_${contender.name.replaceAll('-', '_')}_${round}`
    const url = await databases.create(name)
    try {
      const command = await contender.toCommand({
        ...{ site, folder: join(site.dataFolder, name) },
        ...{ kafkaBrokers, databaseUrl: url, topicPrefix, eventsFile, port: await site.findPort(0) },
        groupPrefix: `${topicPrefix}${round}.`
      })
      const { tableBytes, ...drained } = await drainOnce(servers, {
        ...{ name: `${contender.name}-${round}`, command, databaseUrl: url, check: contender.check },
        topics: new Map([[TOPIC, events]])
      })
      const diskBytes = { postgres: tableBytes, kafka: logBytes }
      return { name: contender.name, round, ...drained, diskBytes }
    } finally {
      await databases.drop(name)
    }
  }
}
