import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')

/**
 * What reads the wall clock, and for what. It may be set back or on: nothing that waits goes by it. The console's pages run
 * in a browser, and tell the time there.
 */
const READS: Readonly<Record<string, string>> = {
  'gateway/app.ts': 'stamps events, and what its metrics tell',
  'kafka/encode-batch.ts': 'the time of a record without one',
  'kafka/patches.ts': 'meets the times that KafkaJS took',
  'runner/create-attachment.ts': 'ids of dead letters and of published events, which are in time order',
  'runner/dead-letters/main.ts': 'ids of imported dead letters',
  'runner/main.ts': 'stamps what it tells of itself',
  'runner/watchdog.ts': 'the time of a line in the log'
}

t.test('reads the wall clock only for what is stored, sent or told', async t => {
  const files = ['runner', 'kafka', 'gateway', 'db'].flatMap(room =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' }).map(name => `${room}/${name}`)
  )
  const readers = files.filter(
    name =>
      name.endsWith('.ts') &&
      !name.startsWith('gateway/console/web/') &&
      /\bDate\.now\b|\bnew Date\(\)/.test(readFileSync(join(ROOT, name), 'utf8'))
  )

  t.strictSame(readers.sort(), Object.keys(READS).sort())
})
