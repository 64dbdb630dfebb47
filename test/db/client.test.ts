import { Socket } from 'node:net'
import { sql as statement } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { createDatabase, type Database } from '../../db/client.ts'
import { databaseFault } from '../../db/database-fault.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createPostgresProxy } from '../_support/postgres-proxy.ts'

const { databaseUrl, sql } = await createTestDatabase(t)
await sql`CREATE TABLE notes (body text)`

async function sleeping(): Promise<number> {
  const [row] = await sql`SELECT count(*)::int FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep%'`
  return row?.count
}

/** Calls back between the two events with which Node tells of a reset, `error` and `close`, of the first socket to `port`. */
function watchReset(t: Test, port: number) {
  const { emit } = Socket.prototype
  const watched = new Set<Socket>()
  let onReset: () => void = () => undefined
  t.intercept(Socket.prototype, 'emit', {
    value(this: Socket, event: string, ...rest: unknown[]) {
      if (event === 'connect' && this.remotePort === port && watched.size === 0) watched.add(this)
      const result: unknown = Reflect.apply(emit, this, [event, ...rest])
      if (event === 'error' && watched.has(this)) onReset()
      return result
    }
  })
  return (act: () => void) => {
    onReset = act
  }
}

const gaps = [
  { when: 'it idles', isBusy: false, act: (send: () => void) => send() },
  { when: 'it idles, and an immediate sends', isBusy: false, act: (send: () => void) => void setImmediate(send) },
  { when: 'it is busy', isBusy: true, act: (send: () => void) => send() }
]
const ways = [
  { way: 'a text with parts', send: ({ sql }: Database) => sql`SELECT ${'1'}::int AS one` },
  { way: 'a text', send: ({ sql }: Database) => sql.unsafe('SELECT 1 AS one') },
  { way: 'Drizzle', send: ({ db }: Database) => db.execute(statement`SELECT 1 AS one`) }
]
for (const { when, isBusy, act } of gaps) {
  for (const { way, send } of ways) {
    t.test(`answers ${way} that comes while a connection is reset, when ${when}`, { timeout: 10_000 }, async t => {
      const { url, reset } = await createPostgresProxy(t, databaseUrl)
      const onReset = watchReset(t, Number(new URL(url).port))
      const database = createDatabase(url, { max: 1, applicationName: 'test' })
      t.teardown(() => database.close({ timeoutMs: 100 }))
      await database.sql`SELECT 1`
      const running = isBusy ? database.sql`SELECT pg_sleep(5)`.catch((error: unknown) => error) : null
      if (isBusy) await until(async () => (await sleeping()) === 1)
      const answer = new Promise(resolve => onReset(() => act(() => resolve(send(database)))))

      reset()

      t.equal(databaseFault(await running), isBusy ? 'world' : null)
      t.match(await answer, [{ one: 1 }])
      t.match(await database.sql`SELECT 2 AS two`, [{ two: 2 }], 'and what comes after it')
    })
  }
}

t.test('gives what PostgreSQL answers, also when that is nothing', async t => {
  const { db, sql, close } = createDatabase(databaseUrl, { max: 2, applicationName: 'test' })
  t.teardown(() => close())
  const names = ['body']

  t.strictSame([...(await sql`SELECT ${sql(names)} FROM notes WHERE ${sql`body = ${'a'}`}`)], [])
  t.equal((await sql`DELETE FROM notes`).count, 0)
  t.equal((await sql.unsafe('SELECT 1; SELECT 2')).length, 2)
  t.equal((await db.execute(statement`SELECT 1`)).length, 1)
  t.equal((await db.transaction(tx => tx.execute(statement`SELECT 1`))).length, 1)
})
