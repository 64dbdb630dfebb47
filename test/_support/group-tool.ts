import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { findJava } from '../../stack/java.ts'
import { getJars } from '../../stack/maven-jars.ts'
import { createPortFinder } from '../../stack/ports.ts'
import { createProcessRecords } from '../../stack/process-records.ts'
import { findRecordsFile } from './stack.ts'

const pom = join(import.meta.dirname, 'group-tool', 'pom.xml')
const JARS = { name: 'kafka-tools', title: 'Kafka’s tools', pom, megabytes: 40 }
const TOOL = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
const run = promisify(execFile)

/** Gives what Kafka's own group tool prints: the lag by topic (in Kafka) and partition; null where it prints none. */
export async function readGroupTool(brokers: string, groupId: string): Promise<Map<string, number | null>> {
  const site = {
    dataFolder: tmpdir(),
    logFolder: tmpdir(),
    environment: process.env,
    records: createProcessRecords(findRecordsFile() ?? join(tmpdir(), `group-tool-${process.pid}.json`)),
    findPort: createPortFinder(),
    log: pino({ enabled: false }),
    shutdown: new AbortController().signal
  }
  const [java, jars] = await Promise.all([findJava(process.env), getJars(JARS, site as never)])
  const args = ['-cp', join(jars, '*'), TOOL, '--bootstrap-server', brokers, '--describe', '--group', groupId]
  const { stdout } = await run(java, args)
  const lags = new Map<string, number | null>()

  for (const line of stdout.split('\n')) {
    const [group, topic, partition, , , lag] = line.trim().split(/\s+/)
    if (group !== groupId) continue
    lags.set(`${topic}/${partition}`, lag === undefined || lag === '-' ? null : Number(lag))
  }
  return lags
}
