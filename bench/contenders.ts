import type { Command } from '../stack/launch.ts'
import type { Site } from '../stack/site.ts'
import { toDebeziumCommand } from './debezium/command.ts'
import { type Place, toContenderCommand, toRunnerCommand } from './services.ts'
import { toUnguardedCommand } from './without-guarantee.ts'

/** Who takes events from the topic into the two tables. */
export interface Drainer {
  readonly name: string
  /** Prepares what it needs, and makes its process. */
  readonly toCommand: (run: ContenderRun) => Command | Promise<Command>
  /** Looks, while the process that drained still runs, for what makes the run void; null when it counts. */
  readonly check?: (command: Command) => Promise<string | null>
}

/** One that is drawn beside others. */
export interface Contender extends Drainer {
  /** For a chart: some 26 letters have room. */
  readonly title: string
}

/** Where one run of a contender reads and writes. */
export interface ContenderRun extends Place {
  readonly site: Site
  /** Of its own; does not exist yet. */
  readonly folder: string
  /** A file with the events of the topic, as a JSON list. */
  readonly eventsFile: string
}

/** Names of our runner, and of the one that shows what its guarantee costs. */
export const OURS = 'smg-kafka'
export const UNGUARDED = `${OURS}-without-guarantee`

/** Our runner, compiled, as in production. */
const ours: Contender = {
  name: OURS,
  title: 'SMG Kafka, exactly once',
  toCommand: run => toRunnerCommand(run)
}

/** Our runner without positions in PostgreSQL, and without looking for what is there already: at best at least once. */
const unguarded: Contender = {
  name: UNGUARDED,
  title: 'SMG Kafka, no guarantee',
  toCommand: toUnguardedCommand
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

/** What writes a topic into tables without any code of one's own, nearly: a sink on Kafka Connect for each table. */
const debezium: Contender = {
  name: 'debezium',
  title: "Debezium's JDBC sink",
  toCommand: toDebeziumCommand
}

/** In the order in which they run. */
export const contenders: readonly Contender[] = [
  ours,
  unguarded,
  consumer('naive', 'eachMessage, two INSERTs'),
  consumer('careful', 'eachBatch, Drizzle'),
  consumer('careful-postgres', 'eachBatch, postgres.js'),
  debezium,
  consumer('ceiling', 'from memory, as json')
]
