import { join } from 'node:path'
import type { ContenderRun } from '../contenders.ts'

/** The properties of one of Kafka Connect's configuration files. */
export type Properties = Readonly<Record<string, string | number | boolean>>

const TASKS = 3
// The least CPU of 500, 1,000, 2,000 and 3,000: 116 µs an event for all processes, beside 149, 137 and 136 (one round of
// each in turn, 50,000 events, 2 cores that had other work). 1 MiB, which a fetch takes of a partition, holds it.
const BATCH = 2_000

/** Makes the files of a Kafka Connect with one sink a table: the worker's comes first. */
export function toConnectConfig(
  run: ContenderRun
): readonly { readonly file: string; readonly properties: Properties }[] {
  return [
    { file: 'worker.properties', properties: toWorker(run) },
    { file: 'messages.properties', properties: toSink(run, { table: 'messages', key: 'topic,id', row: 'Message' }) },
    {
      file: 'user-activities.properties',
      properties: toSink(run, { table: 'user_activities', key: 'id', row: 'Activity' })
    }
  ]
}

/** Gives the text of a Java properties file. */
export function toText(properties: Properties): string {
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${String(value).replaceAll('\\', '\\\\')}\n`)
  return lines.join('')
}

function toWorker({ kafkaBrokers, port, folder }: ContenderRun): Properties {
  return {
    'bootstrap.servers': kafkaBrokers,
    listeners: `http://127.0.0.1:${port}`,
    'offset.storage.file.filename': join(folder, 'offsets'),
    'connector.client.config.override.policy': 'All',
    // The default looks for manifests as well, and warns that Rows.java has none.
    'plugin.discovery': 'only_scan',
    'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'value.converter': 'org.apache.kafka.connect.converters.ByteArrayConverter',
    // The default guesses the type of each header from its text.
    'header.converter': 'org.apache.kafka.connect.storage.StringConverter'
  }
}

interface Sink {
  readonly table: string
  /** Columns of its primary key. */
  readonly key: string
  /** The class in Rows.java that makes its rows. */
  readonly row: string
}

function toSink({ databaseUrl, topicPrefix, groupPrefix }: ContenderRun, { table, key, row }: Sink): Properties {
  const { username, password, host, pathname } = new URL(databaseUrl)
  return {
    name: `${groupPrefix}debezium.${table}`,
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': TASKS,
    topics: `${topicPrefix}user-activities`,
    transforms: 'row',
    'transforms.row.type': `bench.Rows$${row}`,
    'connection.url': `jdbc:postgresql://${host}${pathname}`,
    'connection.username': decodeURIComponent(username),
    'connection.password': decodeURIComponent(password),
    // A task uses one connection; five would be opened for each.
    'connection.pool.min_size': 1,
    'collection.name.format': table,
    // `offset` is a word of SQL.
    'quote.identifiers': true,
    'primary.key.mode': 'record_value',
    'primary.key.fields': key,
    // With `insert` a record that comes twice, as after any restart, would stop its task for good.
    'insert.mode': 'upsert',
    // An array a column in place of parameters for each row: 124 µs of CPU an event, and 158 without it, where stock
    // transforms make the rows of `messages` (batches of 1,000, 60,000 events).
    'dialect.postgres.unnest.insert.enabled': true,
    // Made for many changes of one row: here each event has a row of its own, and it would only cost a map.
    'use.reduction.buffer': false,
    'batch.size': BATCH,
    // A poll that is smaller than a batch is written as it is. The table is looked up once a poll.
    'consumer.override.max.poll.records': BATCH
  }
}
