import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import t from 'tap'
import { connectionOptions } from '../../db/client.ts'
import { readDatabaseUrl } from '../../db/config.ts'
import { migrate } from '../../db/migrate.ts'
import { testStack } from '../_support/stack.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const journal = JSON.parse(readFileSync(join(ROOT, 'db', 'migrations', 'meta', '_journal.json'), 'utf8'))
const { databaseUrl } = testStack()
const url = new URL(databaseUrl)
url.pathname = `/test_${randomUUID().replaceAll('-', '')}`

const admin = postgres(databaseUrl, { ...connectionOptions, max: 1 })
await admin`CREATE DATABASE ${admin(url.pathname.slice(1))}`
t.teardown(async () => {
  await admin`DROP DATABASE IF EXISTS ${admin(url.pathname.slice(1))} WITH (FORCE)`
  await admin.end()
})

t.test('one works and the other finds nothing to do when two start at once on an empty database', async t => {
  const results = await Promise.all([migrate(url.href), migrate(url.href)])

  t.strictSame(results.map(({ applied }) => applied).toSorted(), [0, journal.entries.length])
})

t.test('has nothing to do the second time', async t => {
  t.match(await migrate(url.href), { applied: 0, ms: Number })
})

t.test('leaves no connection behind', async t => {
  const rows = await admin`
    SELECT application_name FROM pg_stat_activity WHERE datname = ${url.pathname.slice(1)}`

  t.strictSame([...rows], [])
})

t.test('gives up when nobody answers in time', async t => {
  await t.rejects(migrate('postgres://nobody@127.0.0.1:1/none', { waitMs: 0 }), {
    code: 'SMG_DB_UNAVAILABLE',
    cause: { code: 'ECONNREFUSED' }
  })
})

t.test('does not wait for a database that is not there', async t => {
  const missing = new URL(databaseUrl)
  missing.pathname = '/no_such_database'

  await t.rejects(migrate(missing.href), { code: '3D000' })
})

t.test('npm run migrate ends with 2 and one line without DATABASE_URL', async t => {
  const { DATABASE_URL: _, ...environment } = process.env
  const command = ['--import', 'tsx', 'db/main.ts']

  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: ROOT,
    env: environment,
    encoding: 'utf8'
  })

  t.equal(status, 2)
  t.equal(stderr, '')
  t.equal(stdout.trimEnd().split('\n').length, 1)
  const msg = 'DATABASE_URL is not set; it may be postgres://user:password@host:port/database'
  const { level, name, msg: told, err } = JSON.parse(stdout)
  t.strictSame({ level, name, msg: told, err }, { level: 60, name: 'migrate', msg, err: undefined })
})

t.test('a wrong DATABASE_URL is not shown', async t => {
  const message = 'DATABASE_URL is set to something else; it may be postgres://user:password@host:port/database'

  t.throws(() => readDatabaseUrl({ DATABASE_URL: 'mysql://root:hunter2@db' }), { code: 'SMG_DB_BAD_SETTING', message })
  t.equal(readDatabaseUrl({ DATABASE_URL: url.href }), url.href)
})
