import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { endStoppedFetches } from '../../kafka/patches.ts'
import { findJava } from '../../stack/java.ts'
import { getKafkaJars } from '../../stack/kafka-jars.ts'
import { isKafkaReady } from '../../stack/kafka-probe.ts'
import type { Command } from '../../stack/launch.ts'
import { runTask } from '../../stack/run-task.ts'
import { type Access, createAccess, type Party, toAddress } from './access.ts'
import { createProcess, type Machine, type Process } from './machine.ts'
import { type FaultProxy, openProxy } from './proxy.ts'

/** One broker, which is a controller too. */
interface Broker {
  readonly id: number
  readonly process: Process
  /** Its links to the parties; what it advertises to each are these. */
  readonly proxies: Readonly<Record<Party, FaultProxy>>
  /** Where its log is. */
  readonly data: string
}

/** One to three brokers. */
export interface Cluster {
  readonly brokers: readonly Broker[]
  /** `host:port,…` past the proxies, for the generator's own records and for the checker. */
  readonly direct: string
  /** `host:port,…` through the proxies of a party. */
  addressFor(party: Party): string
  /** A client of KafkaJS as it comes, without our patches but the one that lets a stopped consumer end. */
  readonly kafka: Kafka
  /** Connects on first use, and anew after a failure. */
  withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T>
  readonly access: Access
  /** Starts what does not run, thaws what is frozen, mends the links, gives rights back. */
  heal(): Promise<void>
  stop(): Promise<void>
}

interface Ports {
  readonly controller: number
  readonly direct: number
  readonly gateway: number
  readonly runner: number
}

const TEMPLATE = join(import.meta.dirname, '..', '..', 'stack', 'kafka')
// Small and quick to start: the machine has other things to do.
const JVM = ['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true']
const LISTENERS = ['DIRECT', 'GATEWAY', 'RUNNER'] as const
const READY_TIMEOUT_MS = 90_000

endStoppedFetches(createRequire(import.meta.url))

/** Starts brokers whose data are in the machine's folder. */
export async function startCluster(
  machine: Machine,
  { count, dataFolder = machine.dataFolder }: { count: 1 | 3; dataFolder?: string }
): Promise<Cluster> {
  const java = await findJava(machine.environment)
  const jars = await getKafkaJars(machine)
  const folder = join(dataFolder, `kafka-${count}`)
  const ports: Ports[] = []
  for (let id = 0; id < count; id += 1) {
    const port = () => machine.findPort(0)
    ports.push({ controller: await port(), direct: await port(), gateway: await port(), runner: await port() })
  }
  const clusterId = newClusterId()
  const brokers = await Promise.all(ports.map((_, index) => prepare(index)))
  await Promise.all(brokers.map(({ process }) => process.start()))
  const direct = ports.map(port => `127.0.0.1:${port.direct}`).join(',')
  const kafka = new Kafka({
    clientId: 'faults',
    brokers: direct.split(','),
    logLevel: logLevel.NOTHING,
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 12 }
  })
  let admin: Promise<Admin> | null = null
  const access = createAccess(withAdmin)

  return {
    brokers,
    direct,
    kafka,
    addressFor: party => brokers.map(({ proxies }) => `127.0.0.1:${proxies[party].port}`).join(','),
    withAdmin,
    access,
    async heal() {
      for (const { process, proxies } of brokers) {
        process.resume()
        await Promise.all(Object.values(proxies).map(proxy => proxy.heal()))
      }
      await Promise.all(brokers.map(({ process }) => process.start()))
      await access.restore()
    },
    async stop() {
      await (await admin?.catch(() => null))?.disconnect().catch(() => undefined)
      await Promise.all(brokers.map(({ process }) => process.end('SIGKILL')))
      await Promise.all(brokers.flatMap(({ proxies }) => Object.values(proxies).map(proxy => proxy.close())))
    }
  }

  async function withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    admin ??= connectAdmin()
    try {
      return await work(await admin)
    } catch (error) {
      const broken = admin
      admin = null
      await (await broken?.catch(() => null))?.disconnect().catch(() => undefined)
      throw error
    }
  }

  async function connectAdmin(): Promise<Admin> {
    const connected = kafka.admin()
    await connected.connect()
    return connected
  }

  async function prepare(index: number): Promise<Broker> {
    const id = index + 1
    const port = ports[index] as Ports
    const home = join(folder, String(id))
    const data = join(home, 'data')
    mkdirSync(home, { recursive: true })
    const proxies = {
      gateway: await openProxy({ targetPort: port.gateway, fromAddress: toAddress('gateway') }),
      runner: await openProxy({ targetPort: port.runner, fromAddress: toAddress('runner') })
    }
    const advertised = { DIRECT: port.direct, GATEWAY: proxies.gateway.port, RUNNER: proxies.runner.port }
    const properties = join(home, 'server.properties')
    writeFileSync(properties, toProperties({ id, port, advertised, data }))

    const toCommand = (options: readonly string[], program: readonly string[]): Command => ({
      file: java,
      args: [
        ...options,
        `-Dlog4j2.configurationFile=${join(TEMPLATE, 'log4j2.yaml')}`,
        '-cp',
        join(jars, '*'),
        ...program
      ],
      cwd: home,
      env: machine.environment
    })
    if (!existsSync(join(data, 'meta.properties'))) {
      const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties]
      const name = `format-${id}`
      const log = `-Dsmg.log=${join(machine.logFolder, `${name}.log`)}`
      await runTask(toCommand([log], format), { name, records: machine.records, shutdown: machine.shutdown })
    }
    const name = `kafka-${id}`
    const server = toCommand(
      [...JVM, `-Dsmg.log=${join(machine.logFolder, `${name}.log`)}`],
      ['kafka.Kafka', properties]
    )
    const outputFile = join(machine.logFolder, `${name}-console.log`)
    const process = createProcess({
      name,
      command: async () => ({ ...server, outputFile }),
      isReady: () => isKafkaReady(port.direct),
      records: machine.records,
      readyTimeoutMs: READY_TIMEOUT_MS
    })
    return { id, process, proxies, data }
  }

  function toProperties({
    id,
    port,
    advertised,
    data
  }: {
    id: number
    port: Ports
    advertised: Record<string, number>
    data: string
  }): string {
    const voters = ports.map(({ controller }, index) => `${index + 1}@127.0.0.1:${controller}`).join(',')
    const listening = { DIRECT: port.direct, GATEWAY: port.gateway, RUNNER: port.runner }
    const urls = (of: Record<string, number>) => LISTENERS.map(name => `${name}://127.0.0.1:${of[name]}`).join(',')
    const replicas = count === 3 ? { factor: 3, inSync: 2 } : { factor: 1, inSync: 1 }
    const own = {
      'node.id': id,
      'controller.quorum.voters': voters,
      listeners: `${urls(listening)},CONTROLLER://127.0.0.1:${port.controller}`,
      'advertised.listeners': urls(advertised),
      'inter.broker.listener.name': 'DIRECT',
      'listener.security.protocol.map': [...LISTENERS, 'CONTROLLER'].map(name => `${name}:PLAINTEXT`).join(','),
      'log.dirs': data,
      'default.replication.factor': replicas.factor,
      'min.insync.replicas': replicas.inSync,
      'offsets.topic.replication.factor': replicas.factor,
      'transaction.state.log.replication.factor': replicas.factor,
      'transaction.state.log.min.isr': replicas.inSync,
      'share.coordinator.state.topic.replication.factor': replicas.factor,
      'share.coordinator.state.topic.min.isr': replicas.inSync,
      // Controllers that have no password cannot vote under one before it is ready, and it is ready after their vote.
      ...(count === 1 && {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'allow.everyone.if.no.acl.found': true
      }),
      ...(count === 3 && { 'broker.session.timeout.ms': 3_000, 'broker.heartbeat.interval.ms': 500 }),
      // The checker asks for groups of its own only now and then: nothing waits for an empty one to be forgotten.
      'offsets.retention.check.interval.ms': 60_000
    }
    const template = readFileSync(join(TEMPLATE, 'server.properties'), 'utf8')
    // The last of two lines counts.
    return `${template}\n${Object.entries(own)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n')}\n`
  }
}

/** 16 bytes in base64url; not with a dash first, which the tool would take for an option. */
function newClusterId(): string {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? newClusterId() : id
}
