import t from 'tap'
import { partitionOf } from '../../kafka/murmur2.ts'
import { createEventId } from '../../sdk/event-id.ts'
import { startProcesses, type TestProcesses } from '../_support/processes.ts'

// A runner that ends so keeps its partitions for the session timeout, several times in each case.
t.setTimeout(400_000)

const MAX_ATTEMPTS = 2
const PARTITIONS = 3
const CRASHED = { disposition: 'crashed', attempts: MAX_ATTEMPTS, state: 'dead', error: 'SMG_RUNNER_CRASHED' }

function start(t: Parameters<typeof startProcesses>[0], functions: string) {
  return startProcesses(t, {
    runners: 0,
    environment: {
      FUNCTIONS_DIR: `${import.meta.dirname}/crashing/_functions`,
      FUNCTIONS: functions,
      CONSUMER_SESSION_TIMEOUT_MS: '6000'
    }
  })
}

/** Starts the runner again whenever it ended, as a supervisor does, until `holds` gives true or three minutes are over. */
async function supervise(processes: TestProcesses, holds: () => Promise<boolean>): Promise<number> {
  let starts = 0
  for (const deadline = Date.now() + 180_000; !(await holds()) && Date.now() < deadline; ) {
    if (!processes.pids.has('runner-0')) {
      starts += 1
      await processes.startRunner('runner-0').catch(() => undefined)
    }
    await processes.until(async () => !processes.pids.has('runner-0') || (await holds()) || Date.now() > deadline, {
      timeoutMs: 200_000
    })
  }
  return starts
}

function keyOf(partition: number): string {
  for (let index = 0; ; index += 1)
    if (partitionOf(Buffer.from(`k${index}`), PARTITIONS) === partition) return `k${index}`
}

async function lettersOf({ sql }: TestProcesses) {
  const rows = await sql`
    SELECT event_id::text AS id, disposition, attempts, state, error_name AS error FROM dead_letters
    WHERE state <> 'resolved' ORDER BY partition, "offset"`
  return rows.map(row => ({ ...row }))
}

t.test('rule 18: blames no head of another partition for a record that ends the process', async t => {
  const processes = await start(t, 'crashing-keys')
  const { sql } = processes
  await sql`CREATE TABLE crashing_keys (id uuid PRIMARY KEY, key text, n int)`
  const [slow, deadly, plain] = [keyOf(0), keyOf(1), keyOf(2)] as [string, string, string]
  const events = [
    // Never over before the process ends, but for a process that handles it while nothing else may end it.
    { key: slow, n: 0, how: 'slow' },
    { key: deadly, n: 1, how: 'late exit' },
    ...Array.from({ length: 9 }, (_, index) => ({ key: [slow, deadly, plain][index % 3], n: 10 + index }))
  ]
  const ids = await processes.produce('crashing-keys', events)
  const settled = async () =>
    (await sql`SELECT (SELECT count(*) FROM messages)::int + (SELECT count(*) FROM dead_letters)::int AS count`)[0]
      ?.count

  const starts = await supervise(processes, async () => (await settled()) === events.length)

  t.strictSame(await lettersOf(processes), [{ id: ids[1], ...CRASHED }])
  for (const key of [slow, deadly, plain]) {
    const rows = await sql`SELECT n FROM crashing_keys WHERE key = ${key} ORDER BY n`
    const expected = events.filter(event => event.key === key && event.n !== 1)
    t.strictSame(
      rows.map(({ n }) => n),
      expected.map(({ n }) => n),
      'each once'
    )
  }
  t.comment(`started ${starts} times`)
})

t.test('rule 18: gives up a redriven record that ends the process, while all else goes on', async t => {
  const processes = await start(t, 'crashing-sql,crashing-rows')
  const { sql, groupPrefix } = processes
  await sql`CREATE TABLE crashing_sql (id uuid, n int)`
  await sql`CREATE TABLE crashing_rows (id uuid PRIMARY KEY, n int)`
  const letters = Array.from({ length: 20 }, (_, offset) => ({
    id: createEventId(Date.now()),
    key: Buffer.from(`k${offset % 4}`),
    value: Buffer.from(JSON.stringify(offset === 9 ? { n: -1, how: 'exit' } : { n: offset })),
    offset
  }))
  for (const { id, key, value, offset } of letters) {
    await sql`
      INSERT INTO dead_letters (id, group_id, topic, event_id, partition, "offset", key, value, headers, timestamp, stage,
        disposition, error_name, error_message, attempts, state)
      VALUES (${id}, ${`${groupPrefix}crashing-sql`}, 'crashing-sql', ${id}, 0, ${offset}, ${key}, ${value}, '[]', now(),
        'handle', 'attempts_exhausted', 'Error', 'no', 3, 'redriving')`
  }
  const others = await processes.produce('crashing-rows', [{ n: 1 }, { n: 2 }, { n: 3 }])

  const starts = await supervise(processes, async () => {
    const [left] = await sql`SELECT FROM dead_letters WHERE state = 'redriving'`
    return !left && (await processes.ids('crashing_rows')).length === others.length
  })

  const dead = await lettersOf(processes)
  t.strictSame(
    dead.find(({ id }) => id === letters[9]?.id),
    { id: letters[9]?.id, ...CRASHED, attempts: 3 + MAX_ATTEMPTS }
  )
  // What is behind it in its key goes back with it.
  t.strictSame(
    dead.map(({ id }) => id),
    letters.filter(({ offset }) => offset >= 9 && offset % 4 === 1).map(({ id }) => id)
  )
  const rows = await sql`SELECT n FROM crashing_sql ORDER BY n`
  t.strictSame(
    rows.map(({ n }) => n),
    letters.map(({ offset }) => offset).filter(offset => offset < 9 || offset % 4 !== 1)
  )
  t.strictSame(await processes.ids('crashing_rows'), others.toSorted())
  t.strictSame([...(await sql`SELECT FROM redrive_trials`)], [], 'no note stays')
  t.ok(starts <= MAX_ATTEMPTS + 3, `started ${starts} times`)
})
