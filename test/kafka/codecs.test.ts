import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createCodecs, registerCodecs, toCompressionType } from '../../kafka/codecs.ts'
import { loadKafkaJs } from '../../kafka/kafkajs.ts'
import { decompressSnappy } from '../../kafka/snappy.ts'

const bytes = Buffer.concat([Buffer.alloc(100_000, 'smg '), randomBytes(50_000)])
const codecs = createCodecs()

for (const name of ['lz4', 'snappy', 'zstd'] as const) {
  t.test(`reads back what it writes as ${name}`, async t => {
    const { compress, decompress } = codecs[name]
    if (!compress) {
      t.pass('this Node writes none')
      return
    }
    t.strictSame(await decompress(await compress(bytes)), bytes)
  })
}

// Written by `zstd -1` and by snappy 7.4.3: a text of 36 letters.
const letters = Buffer.from('smgsmgsmgsmgsmgsmgsmgsmgsmgsmgsmgsmg')

t.test('reads zstd on a Node that has none', async t => {
  const { decompress, compress } = createCodecs({}).zstd

  t.equal(compress, undefined)
  t.strictSame(await decompress(Buffer.from('28b52ffd04484d000018736d6701008e6e08515a5ace', 'hex')), letters)
})

t.test('reads a bare block of snappy, as librdkafka writes it', async t => {
  t.strictSame(await decompressSnappy(Buffer.from('2408736d67820300', 'hex')), letters)
})

t.test('stops the start when this Node cannot write the codec of the settings', async t => {
  const unwritable = registerCodecs(loadKafkaJs(), createCodecs({}))
  t.teardown(() => registerCodecs(loadKafkaJs()))

  t.strictSame([...unwritable], ['zstd'])
  t.throws(() => toCompressionType('zstd', unwritable), { code: 'SMG_KAFKA_BAD_SETTING', message: /Node 22.15/ })
  t.equal(toCompressionType('lz4', unwritable), 3)
})
