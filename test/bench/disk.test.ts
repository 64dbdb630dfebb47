import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readLogBytes, toHoursUntilFull } from '../../bench/disk.ts'
import type { Servers } from '../../bench/servers.ts'

t.test('20 GB last until the log stops growing, and then longer', async t => {
  // 3.6 GB an hour each: 2 hours of Kafka are 7.2 GB, and PostgreSQL has the rest.
  const bytes = { postgres: 1_000, kafka: 1_000 }

  t.equal(toHoursUntilFull(bytes, 168).toFixed(2), '2.78')
  t.equal(toHoursUntilFull(bytes, 2).toFixed(2), '3.56')
})

t.test('sums the segments of a topic up, and of no other one', async t => {
  const dataFolder = t.testdir()
  for (const partition of ['a-1-0', 'a-1-12', 'a-1-b-0', 'a-11-0']) {
    const folder = join(dataFolder, 'kafka', 'data', partition)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, '0.log'), Buffer.alloc(100))
    writeFileSync(join(folder, '0.index'), Buffer.alloc(7))
  }

  t.equal(readLogBytes({ site: { dataFolder } } as Servers, 'a-1'), 200)
})
