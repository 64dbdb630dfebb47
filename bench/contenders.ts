import { join } from 'node:path'
import type { Command } from '../stack/launch.ts'
import type { Site } from '../stack/site.ts'
import { toDebeziumCommand } from './debezium/command.ts'

/** Who takes events from the topic into the two tables. */
export interface Contender {
  readonly name: string
  readonly title: string
  /** Prepares what it needs, and makes its process. */
  readonly toCommand: (run: ContenderRun) => Command | Promise<Command>
}

/** Where one run of a contender reads and writes. */
export interface ContenderRun {
  readonly site: Site
  /** Of its own; does not exist yet. */
  readonly folder: string
  readonly kafkaBrokers: string
  /** Of a database of its own, with empty tables. */
  readonly databaseUrl: string
  /** `<prefix>user-activities`. */
  readonly topicPrefix: string
  /** Begins the name of its group. */
  readonly groupPrefix: string
  /** A free one. */
  readonly port: number
  /** A file with the events of the topic, as a JSON list. */
  readonly eventsFile: string
}

const ROOT = join(import.meta.dirname, '..')

/** Our runner, compiled, as in production. */
const ours: Contender = {
  name: 'smg-kafka',
  title: 'our runner',
  toCommand: ({ kafkaBrokers, databaseUrl, topicPrefix, groupPrefix, port }) => ({
    file: process.execPath,
    args: [join(ROOT, 'dist', 'runner', 'main.js')],
    cwd: ROOT,
    env: {
      ...process.env,
      NODE_ENV: 'production',
      TOPIC_REPLICATION_FACTOR: '1',
      FUNCTIONS: 'user-activities',
      KAFKA_BROKERS: kafkaBrokers,
      DATABASE_URL: databaseUrl,
      TOPIC_PREFIX: topicPrefix,
      GROUP_PREFIX: groupPrefix,
      RUNNER_PORT: String(port),
      TELEMETRY_INTERVAL_MS: '0'
    }
  })
}

function consumer(name: string, title: string): Contender {
  return {
    name,
    title,
    toCommand: ({ kafkaBrokers, databaseUrl, topicPrefix, groupPrefix, eventsFile }) => ({
      file: process.execPath,
      args: ['--import', 'tsx', join(ROOT, 'bench', 'contenders', `${name}.ts`)],
      cwd: ROOT,
      env: {
        ...process.env,
        NODE_ENV: 'production',
        KAFKAJS_NO_PARTITIONER_WARNING: '1',
        KAFKA_BROKERS: kafkaBrokers,
        DATABASE_URL: databaseUrl,
        BENCH_TOPIC: `${topicPrefix}user-activities`,
        BENCH_GROUP: `${groupPrefix}${name}`,
        BENCH_EVENTS: eventsFile
      }
    })
  }
}

/** What writes a topic into tables without any code of one's own, nearly. */
const debezium: Contender = {
  name: 'debezium',
  title: "Debezium's JDBC sink on Kafka Connect, a sink for each table, at least once",
  toCommand: toDebeziumCommand
}

/** In the order in which they run. */
export const contenders: readonly Contender[] = [
  ours,
  consumer('naive', 'eachMessage, an INSERT for each table'),
  consumer('careful', 'eachBatch, Drizzle values(500), at least once'),
  consumer('careful-postgres', 'eachBatch, postgres.js sql(500), at least once'),
  debezium,
  consumer('ceiling', 'PostgreSQL alone, from memory')
]
