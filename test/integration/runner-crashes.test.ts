import t from 'tap'
import { startProcesses } from '../_support/processes.ts'

// A runner that ends so keeps its partition for the session timeout, several times in each case.
t.setTimeout(400_000)
t.jobs = 3

const MAX_ATTEMPTS = 2
const cases = [
  { topic: 'crashing-rows', table: 'crashing_rows', poisons: ['exit'] },
  { topic: 'crashing-rows', table: 'crashing_rows', poisons: ['loop'] },
  { topic: 'crashing-sql', table: 'crashing_sql', poisons: ['rejection'] }
]

for (const { topic, table, poisons } of cases) {
  t.test(
    `rule 18: ${topic} gets past a record that ends its process by ${poisons.join(', ')}`,
    { timeout: 180_000 },
    async t => {
      const processes = await startProcesses(t, {
        runners: 0,
        environment: {
          FUNCTIONS_DIR: `${import.meta.dirname}/crashing/_functions`,
          FUNCTIONS: topic,
          CONSUMER_SESSION_TIMEOUT_MS: '6000',
          NODE_OPTIONS: '--max-old-space-size=160'
        }
      })
      const { sql } = processes
      await sql.unsafe(`CREATE TABLE ${table} (sequence bigserial, id uuid PRIMARY KEY, n int)`)
      const plain = (from: number) => Array.from({ length: 5 }, (_, index) => ({ n: from + index }))
      const events = [...plain(0), ...poisons.flatMap((how, index) => [{ n: -1, how }, ...plain(10 * (index + 1))])]
      const ids = await processes.produce(topic, events)
      const dead = async () => (await sql`SELECT count(*)::int AS dead FROM dead_letters`)[0]?.dead
      const settled = async () => (await sql`SELECT count(*)::int AS rows FROM messages`)[0]?.rows + (await dead())

      let starts = 0
      for (const deadline = Date.now() + 150_000; (await settled()) < events.length && Date.now() < deadline; ) {
        if (!processes.pids.has('runner-0')) {
          starts += 1
          await processes.startRunner('runner-0').catch(() => undefined)
        }
        await processes.until(async () => !processes.pids.has('runner-0') || (await settled()) === events.length, {
          timeoutMs: 60_000
        })
      }

      const rows = await sql`SELECT id::text AS id, n FROM ${sql(table)} ORDER BY sequence`
      const isPlain = (n: number) => n >= 0
      t.strictSame(
        rows.map(({ n }) => n),
        events.map(({ n }) => n).filter(isPlain),
        'the neighbours in order, each once'
      )
      t.strictSame(
        rows.map(({ id }) => id),
        ids.filter((_, index) => isPlain(events[index]?.n ?? -1))
      )
      const letters =
        await sql`SELECT event_id::text AS id, disposition, attempts, stage FROM dead_letters ORDER BY "offset"`
      t.strictSame(
        letters.map(letter => ({ ...letter })),
        ids.flatMap((id, index) =>
          isPlain(events[index]?.n ?? -1)
            ? []
            : [{ id, disposition: 'crashed', attempts: MAX_ATTEMPTS, stage: 'handle' }]
        )
      )
      t.ok(starts <= 2 + (MAX_ATTEMPTS + 1) * poisons.length + 1, `started ${starts} times`)
      t.comment(`started ${starts} times`)
    }
  )
}
