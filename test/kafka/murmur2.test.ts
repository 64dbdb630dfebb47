import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import t from 'tap'
import { murmur2, partitionOf } from '../../kafka/murmur2.ts'

const require = createRequire(import.meta.url)
const stock: (key: Buffer) => number = require('kafkajs/src/producer/partitioners/default/murmur2')

// From org.apache.kafka.common.utils.UtilsTest.
const java = [
  { key: '21', hash: -973932308 },
  { key: 'foobar', hash: -790332482 },
  { key: 'a-little-bit-long-string', hash: -985981536 },
  { key: 'a-little-bit-longer-string', hash: -1486304829 },
  { key: 'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', hash: -58897971 },
  { key: 'abc', hash: 479470107 }
]

for (const { key, hash } of java) {
  t.test(`hashes ${key} as Java does`, async t => {
    t.equal(murmur2(Buffer.from(key)), hash)
  })
}

t.test("hashes random keys as KafkaJS's partitioner does", async t => {
  const keys = Array.from({ length: 5_000 }, (_, index) => randomBytes(index % 67))

  t.strictSame(keys.map(murmur2), keys.map(stock))
})

t.test('keeps a key inside the partitions that there are', async t => {
  const partitions = Array.from({ length: 2_000 }, () => partitionOf(randomBytes(16), 3))

  t.strictSame([...new Set(partitions)].sort(), [0, 1, 2])
})
