import type { Command } from '../stack/launch.ts'
import type { Site } from '../stack/site.ts'
import { toDebeziumCommand } from './debezium/command.ts'
import { type Place, toContenderCommand, toRunnerCommand } from './services.ts'

/** Who takes events from the topic into the two tables. */
export interface Contender {
  readonly name: string
  readonly title: string
  /** Prepares what it needs, and makes its process. */
  readonly toCommand: (run: ContenderRun) => Command | Promise<Command>
}

/** Where one run of a contender reads and writes. */
export interface ContenderRun extends Place {
  readonly site: Site
  /** Of its own; does not exist yet. */
  readonly folder: string
  /** A file with the events of the topic, as a JSON list. */
  readonly eventsFile: string
}

/** Our runner, compiled, as in production. */
const ours: Contender = {
  name: 'smg-kafka',
  title: 'our runner',
  toCommand: toRunnerCommand
}

function consumer(name: string, title: string): Contender {
  return {
    name,
    title,
    toCommand: ({ kafkaBrokers, databaseUrl, topicPrefix, groupPrefix, eventsFile }) =>
      toContenderCommand(name, {
        KAFKA_BROKERS: kafkaBrokers,
        DATABASE_URL: databaseUrl,
        BENCH_TOPIC: `${topicPrefix}user-activities`,
        BENCH_GROUP: `${groupPrefix}${name}`,
        BENCH_EVENTS: eventsFile
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
