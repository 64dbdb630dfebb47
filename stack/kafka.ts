import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findJava } from './java.ts'
import { getKafkaJars } from './kafka-jars.ts'
import { isKafkaReady } from './kafka-probe.ts'
import type { Command } from './launch.ts'
import { rotateLogFile } from './log-file.ts'
import type { PartSpec } from './part.ts'
import { runTask } from './run-task.ts'
import type { Site } from './site.ts'

/** A broker that is prepared and not started. */
interface PreparedKafka {
  readonly kafkaBrokers: string
  readonly port: number
  readonly folder: string
  readonly part: PartSpec
}

const TEMPLATE = join(import.meta.dirname, 'kafka')
const STOP_DEADLINE_MS = 3_000
// Kafka's own choice (bin/kafka-server-start.sh, kafka-run-class.sh).
const COLLECTOR = ['-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:InitiatingHeapOccupancyPercent=35']
const JVM = ['-Xms256m', '-Xmx1g', '-server', ...COLLECTOR, '-Djava.awt.headless=true']

/**
 * Makes an embedded Kafka ready to start: Java, its jars, its formatted folder.
 *
 * @throws SMG_STACK_NO_JAVA | SMG_STACK_OLD_JAVA | SMG_STACK_NO_MAVEN | SMG_STACK_DOWNLOAD | SMG_STACK_TASK_FAILED
 */
export async function prepareKafka(site: Site, { port: preferredPort }: { readonly port: number }) {
  const java = await findJava(site.environment)
  const jars = await getKafkaJars(site)

  const folder = join(site.dataFolder, 'kafka')
  const data = join(folder, 'data')
  mkdirSync(folder, { recursive: true })
  const port = await site.findPort(preferredPort)
  const properties = join(folder, 'server.properties')
  writeFileSync(properties, toProperties({ port, controllerPort: await site.findPort(0), data }))

  const outputFile = join(site.logFolder, 'kafka-console.log')
  rotateLogFile(outputFile)
  const toCommand = (options: readonly string[], program: readonly string[]): Command => ({
    file: java,
    args: [
      ...options,
      `-Dlog4j2.configurationFile=${join(TEMPLATE, 'log4j2.yaml')}`,
      '-cp',
      join(jars, '*'),
      ...program
    ],
    cwd: folder,
    env: site.environment
  })

  // Written last by the format: a folder without it holds nothing that was ever used.
  if (!existsSync(join(data, 'meta.properties'))) {
    rmSync(data, { recursive: true, force: true })
    const format = ['kafka.tools.StorageTool', 'format', '-t', newClusterId(), '-c', properties]
    await runTask(toCommand([`-Dsmg.log=${join(site.logFolder, 'kafka-format.log')}`], format), {
      ...site,
      name: 'kafka-storage'
    })
  }
  const server = toCommand([...JVM, `-Dsmg.log=${join(site.logFolder, 'kafka.log')}`], ['kafka.Kafka', properties])
  return {
    kafkaBrokers: `127.0.0.1:${port}`,
    port,
    folder: data,
    part: {
      name: 'kafka',
      command: async () => ({ ...server, outputFile }),
      isReady: () => isKafkaReady(port),
      stopDeadlineMs: STOP_DEADLINE_MS,
      firstAttempts: 1
    }
  } satisfies PreparedKafka
}

interface Place {
  readonly port: number
  readonly controllerPort: number
  readonly data: string
}

function toProperties({ port, controllerPort, data }: Place): string {
  return `${readFileSync(join(TEMPLATE, 'server.properties'), 'utf8')}
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
log.dirs=${data}
`
}

/** 16 bytes in base64url; not with a dash first, which the tool would take for an option. */
function newClusterId(): string {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? newClusterId() : id
}
