import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

// What has to hold so that each event has its effect once, in the order of its key: each rule has tests that are named
// after it, `rule 5: a zombie …`. In short:
const RULES = {
  1: 'holes in a log are normal, and only what retention removed is lost, and counted',
  2: 'a partition without a position begins at the start of its log, whatever Kafka committed',
  3: 'positions are read again: a database that went back in time is followed, busy or idle',
  4: 'a topic that was made anew, or cut, is handled from its start',
  5: 'an owner moves a position only from where it left it: a zombie settles nothing',
  6: 'one write of a partition at a time, and Kafka never knows more than PostgreSQL',
  7: 'whatever becomes of a COMMIT, the tables tell, and each effect is there once',
  8: 'an owner that froze lets its locks go before another one needs them',
  9: 'an event is known by its topic and id, and only our gateway says which id that is',
  10: 'the inbox decides first: what is settled stays settled, whatever the code says now',
  11: 'copies of an event share the outcome of the first, in one batch or in many',
  12: 'what PostgreSQL refuses of a row takes all of its record with it, and nothing of another',
  13: 'the inbox remembers longer than Kafka, events of every time included',
  14: 'nothing waits inside a transaction, and no partition for the retry of another',
  15: 'an attempt that is over writes nothing more',
  16: 'what the database said outranks what the function threw, and the world uses no attempt',
  17: 'the age of a record is measured by the clock of the database, without the time that the world took',
  18: 'a record that ends its process is found, and becomes a dead letter',
  '18a': 'records may be handled ahead in memory, and their effects still commit in order',
  19: 'what someone has to mend stops a function, loses nothing, and heals by itself',
  20: 'a flood of dead letters stops the function that makes it, for every runner',
  21: 'a redrive gives each dead letter one effect, in the order of its key',
  22: 'where keys are ordered, what follows a dead letter waits behind it and runs after it',
  23: 'what functions publish leaves in order, once or again, and nothing of it is lost',
  24: 'a request with a key is one event, however often it is sent',
  25: 'records of a partition are written in order, however often a send has to be made again'
}

t.test('every rule has a test that is named after it', async t => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  const tests = files
    .filter(name => name.endsWith('.test.ts'))
    .map(name => readFileSync(join(import.meta.dirname, name), 'utf8'))
  const titles = tests.flatMap(text => [...text.matchAll(/^\s*(?:t\.test\()?['`]rule (\w+): \S/gm)])
  const named = new Set(titles.map(([, rule]) => rule))

  for (const [rule, meaning] of Object.entries(RULES)) t.ok(named.has(rule), `rule ${rule}: ${meaning}`)
  t.strictSame(
    [...named].filter(rule => !((rule as string) in RULES)),
    [],
    'no test is named after a rule that there is not'
  )
})
