import { execFileSync, spawnSync } from 'node:child_process'
import t from 'tap'
import { createProducer } from '../../../kafka/producer.ts'
import { ensureTopics } from '../../../kafka/topics.ts'
import { createTestClient, silent, testBrokers } from '../../_support/kafka.ts'
import { readRecords } from '../../_support/kafka-records.ts'

const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const
const client = createTestClient()
const hasKcat = spawnSync('kcat', ['-V']).status === 0
const skip = hasKcat ? false : 'kcat is not installed'
const lines = Array.from({ length: 3_000 }, (_, index) => `${index} ${'smg '.repeat(index % 40)}.`)

t.before(() => {
  const specs = codecs.flatMap(codec => [`from-${codec}`, `to-${codec}`])
  const options = { create: true, replicationFactor: 1 }
  return ensureTopics(
    client,
    specs.map(topic => ({ topic, partitions: 1, retentionMs: -1 })),
    options
  )
})

for (const codec of codecs) {
  t.test(`reads what librdkafka writes as ${codec}`, { skip }, async t => {
    const topic = client.toKafkaTopic(`from-${codec}`)
    execFileSync('kcat', ['-P', '-b', testBrokers(), '-t', topic, '-p', '0', '-z', codec], { input: lines.join('\n') })

    const read = await readRecords(client, `from-${codec}`, lines.length)

    t.strictSame(
      read.map(({ value }) => String(value)),
      lines
    )
  })

  const skipWrite = client.unwritableCodecs.has(codec) ? 'this Node writes none' : skip
  t.test(`writes ${codec} that librdkafka reads`, { skip: skipWrite }, async t => {
    const settings = {
      PRODUCER_LANES: 1,
      PRODUCER_LINGER_MS: 0,
      PRODUCER_BATCH_BYTES: 524_288,
      PRODUCER_COMPRESSION: codec
    }
    const producer = createProducer(client, settings, { log: silent })
    t.teardown(() => producer.close())
    const records = lines.map(line => ({
      partition: 0,
      key: null,
      value: Buffer.from(line),
      headers: {},
      timestampMs: Date.now()
    }))

    const results = await producer.append(`to-${codec}`, records, { timeoutMs: 10_000 })

    t.ok(results.every(result => 'offset' in result))
    const topic = client.toKafkaTopic(`to-${codec}`)
    const read = execFileSync('kcat', [
      '-C',
      '-q',
      '-e',
      '-b',
      testBrokers(),
      '-t',
      topic,
      '-p',
      '0',
      '-o',
      'beginning'
    ])
    t.strictSame(String(read).trimEnd().split('\n'), lines)
    t.strictSame(
      (await readRecords(client, `to-${codec}`, lines.length)).map(({ value }) => String(value)),
      lines
    )
  })
}
