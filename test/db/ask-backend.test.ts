import t from 'tap'
import { askBackend } from '../../db/ask-backend.ts'
import { createWriter } from '../../db/writer.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'

const LIMITS = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const { databaseUrl, sql } = await createTestDatabase(t)
await sql`CREATE TABLE notes (id int)`
const ask = (pid: unknown, url = databaseUrl) => askBackend(url, { pid: Number(pid), applicationName: 'test' })

t.test('tells what a backend does', async t => {
  const writer = createWriter(databaseUrl, { applicationName: 'test-writer' })
  t.teardown(() => writer.close())

  await writer.transaction(async tx => {
    const [backend] = await tx.query('SELECT pg_backend_pid() AS pid')
    t.equal(await ask(backend?.pid), 'idle')

    const sleeping = tx.query('SELECT pg_sleep(1)')
    await until(async () => (await ask(backend?.pid)) === 'working')
    await sleeping

    let locked: Promise<unknown> | undefined
    await sql.begin(async holder => {
      await holder`LOCK TABLE notes`
      locked = tx.query('SELECT FROM notes')
      await until(async () => (await ask(backend?.pid)) === 'locked')
    })
    await locked
  }, LIMITS)
})

t.test('does not know what nobody tells', async t => {
  t.equal(await ask(0), 'unknown', 'there is no such backend')
  t.equal(await ask(1, 'postgres://nobody@127.0.0.1:1/none'), 'unknown', 'there is no such server')
})
