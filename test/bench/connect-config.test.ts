import t from 'tap'
import type { ContenderRun } from '../../bench/contenders.ts'
import { toConnectConfig, toText } from '../../bench/debezium/connect-config.ts'

const run = {
  kafkaBrokers: '127.0.0.1:9092',
  databaseUrl: 'postgres://smg:p%40ss@127.0.0.1:5432/bench_1',
  topicPrefix: 'b1.',
  groupPrefix: 'b1.1.',
  port: 8083,
  folder: '/bench/1'
} as ContenderRun

t.test('gives a worker and a sink for each table', async t => {
  const [worker, messages, activities] = toConnectConfig(run).map(({ properties }) => properties)

  t.match(worker, { 'bootstrap.servers': '127.0.0.1:9092', listeners: 'http://127.0.0.1:8083' })
  t.match(messages, {
    name: 'b1.1.debezium.messages',
    'collection.name.format': 'messages',
    'primary.key.fields': 'topic,id'
  })
  t.match(activities, { 'collection.name.format': 'user_activities', 'primary.key.fields': 'id' })
  for (const sink of [messages, activities]) {
    t.match(sink, {
      topics: 'b1.user-activities',
      'connection.url': 'jdbc:postgresql://127.0.0.1:5432/bench_1',
      'connection.username': 'smg',
      'connection.password': 'p@ss'
    })
    t.equal(sink?.['consumer.override.max.poll.records'], sink?.['batch.size'], 'a poll fills a batch')
  }
})

t.test('writes properties so that Java reads the same', async t => {
  t.equal(toText({ name: 'a b', path: 'C:\\x', 'tasks.max': 3 }), 'name=a b\npath=C:\\\\x\ntasks.max=3\n')
})
