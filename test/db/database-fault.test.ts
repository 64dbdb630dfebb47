import { DrizzleQueryError } from 'drizzle-orm'
import postgres from 'postgres'
import t from 'tap'
import { createDatabase } from '../../db/client.ts'
import { databaseFault, isUnclassified, sqlState } from '../../db/database-fault.ts'
import { dbErrors } from '../../db/errors.ts'

// The class is the driver's own; its constructor is not in its types.
const PostgresError = postgres.PostgresError as unknown as new (x: object) => Error
const refused = (code: string) => new PostgresError({ code, message: 'refused', severity: 'ERROR' })
/** As the driver marks what it rejects a query with. */
const cut = (code: string) => Object.assign(new Error(code), { code, query: 'SELECT 1' })

// FAULTS.md section 8, row by row; `world` is its transient and its infrastructure, `ours` its systemic.
const rows = [
  { fault: 'record', what: 'data', codes: ['22P02', '22P05', '22021', '22003', '22001', '22007', '22008', '22012'] },
  { fault: 'record', what: 'a rule of a table', codes: ['23502', '23514', '23505', '23P01'] },
  { fault: 'record', what: 'a foreign key', codes: ['23503'] },
  { fault: 'record', what: 'a row twice in one statement', codes: ['21000'] },
  { fault: 'record', what: 'a program limit', codes: ['54000', '54001', '54011', '54023'] },
  { fault: 'record', what: 'a trigger that raises', codes: ['P0001', 'P0002', 'P0004'] },
  { fault: 'world', what: 'transactions in one another’s way', codes: ['40001', '40P01', '55P03'] },
  { fault: 'world', what: 'a cancelled query', codes: ['57014'] },
  { fault: 'world', what: 'a statement of unknown completion', codes: ['40003', '08007'] },
  { fault: 'world', what: 'our own limits', codes: ['25P03', '25P04'] },
  { fault: 'world', what: 'a lost connection', codes: ['08000', '08001', '08003', '08004', '08006', '08P01'] },
  { fault: 'world', what: 'a server that goes or comes', codes: ['57P01', '57P02', '57P03', '57P04', '57P05'] },
  { fault: 'world', what: 'a full server', codes: ['53000', '53100', '53200', '53300', '53400'] },
  { fault: 'world', what: 'the system below', codes: ['58000', '58030', '58P01'] },
  { fault: 'world', what: 'a server that only reads', codes: ['25006'] },
  { fault: 'ours', what: 'access and syntax', codes: ['42501', '42P01', '42703', '42601', '42704', '42804'] },
  { fault: 'ours', what: 'names that are not there', codes: ['3D000', '3F000'] },
  { fault: 'ours', what: 'a login', codes: ['28000', '28P01'] },
  // Both are the world's once: the writer takes a fresh connection for them (test/db/writer.test.ts).
  { fault: 'ours', what: 'a stale plan on a fresh connection', codes: ['0A000', '26000'] },
  { fault: 'ours', what: 'a swallowed error', codes: ['25P02', '25P01', '25001'] },
  { fault: 'ours', what: 'damage', codes: ['XX000', 'XX001', 'XX002'] },
  { fault: 'record', what: 'a code that nobody listed', codes: ['41000', '39004', 'HV000', '99999', '0Z002'] }
]

for (const { fault, what, codes } of rows) {
  t.test(`${what} is the fault of ${fault}`, async t => {
    for (const code of codes) {
      const error = refused(code)

      t.equal(databaseFault(error), fault, code)
      t.equal(databaseFault(new DrizzleQueryError('SELECT 1', [], error)), fault, `${code} under Drizzle`)
      t.equal(databaseFault(new Error('payment failed', { cause: error })), fault, `${code} as a cause`)
      t.equal(sqlState(new DrizzleQueryError('SELECT 1', [], error)), code)
    }
  })
}

const links = [
  ...['CONNECTION_CLOSED', 'CONNECTION_ENDED', 'CONNECTION_DESTROYED', 'CONNECT_TIMEOUT', 'ECONNREFUSED'],
  ...['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']
]
for (const code of links) {
  t.test(`${code} of the driver is the fault of the world`, async t => {
    t.equal(databaseFault(cut(code)), 'world')
    t.equal(databaseFault(new DrizzleQueryError('SELECT 1', [], cut(code))), 'world')
    t.equal(sqlState(cut(code)), null)
  })
}

t.test('a server that does not listen is the fault of the world', async t => {
  const database = createDatabase('postgres://nobody@127.0.0.1:1/none', { max: 1, applicationName: 'test' })
  t.teardown(() => database.close({ timeoutMs: 0 }))

  t.equal(databaseFault(await database.sql`SELECT 1`.catch(error => error)), 'world')
  t.equal(databaseFault(await database.db.execute('SELECT 1').catch(error => error)), 'world')
})

const own = [
  { error: new dbErrors.SMG_DB_UNAVAILABLE('no'), fault: 'world' },
  { error: new dbErrors.SMG_DB_CONNECTION_LOST('during COMMIT'), fault: 'world' },
  { error: new dbErrors.SMG_DB_ROLLED_BACK('ROLLBACK'), fault: 'ours' },
  { error: new dbErrors.SMG_DB_BUSY(), fault: 'ours' },
  // A function that goes on after its attempt: its own mistake, and a failed attempt.
  { error: new dbErrors.SMG_DB_TRANSACTION_OVER(), fault: null }
]
for (const { error, fault } of own) {
  t.test(`${error.code} is the fault of ${fault ?? 'no database'}`, async t => {
    t.equal(databaseFault(error), fault)
    t.equal(databaseFault(new Error('wrapped', { cause: error })), fault)
  })
}

t.test('a code that nobody listed is the record’s, and is told apart', async t => {
  for (const { what, codes } of rows) {
    for (const code of codes) t.equal(isUnclassified(refused(code)), what === 'a code that nobody listed', code)
  }
  for (const thrown of [cut('ECONNRESET'), new Error('no database'), 'text', undefined])
    t.equal(isUnclassified(thrown), false)
})

const round = new Error('round')
round.cause = round
const strangers = [
  {
    when: 'a function met a refused connection of its own',
    thrown: Object.assign(new Error(), { code: 'ECONNREFUSED' })
  },
  { when: 'a function met a timeout of its own', thrown: Object.assign(new Error(), { code: 'ETIMEDOUT' }) },
  { when: 'it only looks like an error of PostgreSQL', thrown: Object.assign(new Error(), { code: '57P01' }) },
  // Programmer's mistakes that the driver finds itself: with one record its failed attempt, in a batch our fault.
  { when: 'the driver was called wrongly', thrown: cut('UNDEFINED_VALUE') },
  { when: 'a statement has too many parameters', thrown: cut('MAX_PARAMETERS_EXCEEDED') },
  { when: 'a fragment was not tagged', thrown: cut('NOT_TAGGED_CALL') },
  { when: 'it is its own cause', thrown: round },
  { when: 'its code is no text', thrown: Object.assign(new Error(), { code: Object.create(null) }) },
  { when: 'it is a number', thrown: Object.assign(new Error(), { code: 23505 }) },
  { when: 'it is frozen', thrown: Object.freeze(new Error('frozen')) },
  { when: 'it is a text', thrown: '57P01' },
  { when: 'it is nothing', thrown: undefined },
  { when: 'it is null', thrown: null }
]
for (const { when, thrown } of strangers) {
  t.test(`no database is at fault when ${when}`, async t => {
    t.equal(databaseFault(thrown), null)
    t.equal(sqlState(thrown), null)
  })
}

t.test('looks ten causes deep, and no deeper', async t => {
  const wrap = (error: Error, times: number): Error =>
    times === 0 ? error : wrap(new Error('wrapped', { cause: error }), times - 1)

  t.equal(databaseFault(wrap(refused('57P01'), 9)), 'world')
  t.equal(databaseFault(wrap(refused('57P01'), 10)), null)
})

t.test('takes the outermost error of the database', async t => {
  const error = Object.assign(refused('23505'), { cause: refused('57P01') })

  t.equal(databaseFault(error), 'record')
})
