import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { connectionOptions } from '../../db/client.ts'
import { createWriter } from '../../db/writer.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'

const SCRIPT = fileURLToPath(new URL('./_support/copy-lines.ts', import.meta.url))
const LOCK = 'SELECT FROM parents FOR NO KEY UPDATE'
const limits = { lockTimeoutMs: 300, statementTimeoutMs: 5_000, idleTimeoutMs: 1_000 }

const { databaseUrl, sql } = await createTestDatabase(t)
await sql`CREATE TABLE notes (id int PRIMARY KEY, body text)`
await sql`CREATE TABLE parents (id int PRIMARY KEY)`
await sql`INSERT INTO parents VALUES (1)`

/** A backend that waits for the lines of a COPY, which nobody sends. */
async function copyNothing(t: Test, applicationName: string): Promise<void> {
  const client = postgres(databaseUrl, {
    ...connectionOptions,
    max: 1,
    connection: { application_name: applicationName }
  })
  t.teardown(() => client.end({ timeout: 0 }))
  const stream = await client`COPY notes FROM STDIN`.writable()
  stream.on('error', () => undefined)
}

const isCopying = async (name: string) =>
  (
    await sql`SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = ${name}
      AND state = 'active' AND wait_event = 'ClientRead'`
  ).length > 0

t.test('rule 8: whoever needs its locks ends an owner that froze in a COPY', { timeout: 60_000 }, async t => {
  const ended: number[] = []
  const writer = createWriter(databaseUrl, {
    applicationName: 'test-other-part',
    onFrozenEnded: pids => ended.push(...pids)
  })
  t.teardown(() => writer.close())
  const gate = await sql.reserve()
  await gate`BEGIN`
  await gate`LOCK TABLE notes`
  const owner = spawn(process.execPath, ['--import', 'tsx', SCRIPT, databaseUrl], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const said = text(owner.stdout)
  t.teardown(() => owner.kill('SIGKILL'))
  let pid = 0
  await until(async () => {
    const [waiting] = await sql`SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'test-owner' AND wait_event_type = 'Lock'`
    pid = Number(waiting?.pid ?? 0)
    return pid > 0
  }, 30_000)
  // The lines are asked for when the table is free: of a process that does nothing any more.
  owner.kill('SIGSTOP')
  await gate`COMMIT`
  gate.release()
  await until(() => isCopying('test-owner'))
  await copyNothing(t, 'another-owner')

  await t.rejects(
    writer.transaction(tx => tx.query(LOCK), { ...limits, idleTimeoutMs: 60_000 }),
    { code: '55P03' }
  )
  t.strictSame(ended, [], 'one that waits for a short time may be at work')
  await until(async () => {
    await writer.transaction(tx => tx.query(LOCK), limits).catch(error => t.match(error, { code: '55P03' }))
    return ended.length > 0
  }, 20_000)
  await writer.transaction(tx => tx.query(LOCK), limits)

  t.strictSame(ended, [pid])
  t.ok(await isCopying('another-owner'), 'what is not of its application is let alone')
  owner.kill('SIGCONT')
  t.equal((await said).trim(), 'SMG_DB_CONNECTION_LOST', 'the owner hears of it when it goes on')
  t.strictSame([...(await sql`SELECT FROM notes`)], [])
})
