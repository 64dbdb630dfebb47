import { eq, sql as raw } from 'drizzle-orm'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import t, { type Test } from 'tap'
import type { AttemptSession } from '../../db/attempt-session.ts'
import { toCopyText } from '../../db/copy-in.ts'
import { copyLineOf, databaseFault } from '../../db/database-fault.ts'
import type { TransactionLimits, WriteTransaction } from '../../db/write-transaction.ts'
import { createWriter } from '../../db/writer.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createPostgresProxy } from '../_support/postgres-proxy.ts'

const LIMITS: TransactionLimits = { lockTimeoutMs: 5_000, statementTimeoutMs: 5_000, idleTimeoutMs: 5_000 }
const PID = 'SELECT pg_backend_pid() AS pid'

const { databaseUrl, sql } = await createTestDatabase(t)
await sql`CREATE TABLE notes (id int PRIMARY KEY, body text)`
await sql`CREATE TABLE parents (id int PRIMARY KEY)`
await sql`CREATE TABLE children (parent_id int REFERENCES parents DEFERRABLE INITIALLY DEFERRED)`
const notes = pgTable('notes', { id: integer().primaryKey(), body: text() })

const uncaught: unknown[] = []
process.on('uncaughtException', error => uncaught.push(error))
process.on('unhandledRejection', error => uncaught.push(error))

t.beforeEach(() => sql`TRUNCATE notes`)

function open(t: Test, url = databaseUrl) {
  const writer = createWriter(url, { applicationName: 'test-writer' })
  t.teardown(() => writer.close())
  return writer
}

const ids = async () => (await sql`SELECT id FROM notes ORDER BY id`).map(({ id }) => id)
const add = (id: number) => `INSERT INTO notes VALUES (${id})`

/** Ends a backend, and waits until the server knows that it is gone. */
async function terminate(pid: unknown) {
  await sql`SELECT pg_terminate_backend(${Number(pid)})`
  await until(async () => (await sql`SELECT 1 FROM pg_stat_activity WHERE pid = ${Number(pid)}`).length === 0)
}

const sockets = () => process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length

/** Ends a backend, and waits until this process has been told as well. */
async function terminateAndTell(pid: unknown) {
  const before = sockets()
  await terminate(pid)
  await until(() => sockets() < before)
}

async function worksAgain(t: Test, writer: ReturnType<typeof open>) {
  await writer.transaction(tx => tx.query(add(100)), LIMITS)
  t.ok((await ids()).includes(100), 'the next transaction works')
}

// The first: no other writer is closing a socket meanwhile.
t.test('takes a new connection when its own was lost between two transactions', async t => {
  const writer = open(t)
  const [row] = await writer.transaction(tx => tx.query(PID), LIMITS)
  await terminateAndTell(row?.pid)

  await worksAgain(t, writer)
})

t.test('commits what the work wrote, and gives what it gave', async t => {
  const writer = open(t)

  const result = await writer.transaction(async tx => (await tx.query(add(1))).count, LIMITS)

  t.equal(result, 1)
  t.strictSame(await ids(), [1])
})

t.test('rolls back when the work rejects, and keeps the connection', async t => {
  const writer = open(t)
  const pids: unknown[] = []
  const error = new Error('no')
  const notePid = async (tx: { query(text: string): Promise<readonly Record<string, unknown>[]> }) =>
    pids.push((await tx.query(PID))[0]?.pid)

  await t.rejects(
    writer.transaction(async tx => {
      await notePid(tx)
      await tx.query(add(1))
      throw error
    }, LIMITS),
    error
  )
  await writer.transaction(notePid, LIMITS)

  t.strictSame(await ids(), [])
  t.equal(pids[0], pids[1])
})

t.test('rejects with what PostgreSQL refused, and keeps nothing', async t => {
  const writer = open(t)

  const refused = writer.transaction(async tx => {
    await tx.query(add(1))
    await tx.query(add(1))
  }, LIMITS)

  await t.rejects(refused, { code: '23505' })
  t.strictSame(await ids(), [])
  await worksAgain(t, writer)
})

t.test('undoes what stands behind a savepoint, and that alone', async t => {
  const writer = open(t)

  await writer.transaction(async tx => {
    await tx.query(add(1))
    await tx
      .savepoint(async () => {
        await tx.query(add(2))
        await tx.query(add(2))
      })
      .catch(error => t.match(error, { code: '23505' }))
    await tx.savepoint(() => tx.query(add(3)))
  }, LIMITS)

  t.strictSame(await ids(), [1, 3])
})

for (const [refused, expected] of [
  [null, [1, 2, 3, 4, 5, 9]],
  [1, [2, 9]],
  [3, [1, 2, 9]],
  [5, [1, 2, 3, 4, 9]]
] as const) {
  t.test(`does works together as far as the first that is refused: ${refused ?? 'none'}`, async t => {
    await sql`INSERT INTO notes VALUES (9)`
    const texts = [1, 2, 3, 4, 5].map(id => add(id === refused ? 9 : id))

    await open(t).transaction(async tx => {
      const { done, refusal } = await tx.savepoints(texts.map(text => () => tx.query(text)))
      t.equal(done, refused === null ? 5 : refused - 1)
      t.match(refusal, refused === null ? undefined : { code: '23505' })
      // Nothing more in one case: then the COMMIT itself has to undo.
      if (refused === 1) await tx.savepoints([() => tx.query(add(2))])
    }, LIMITS)

    t.strictSame(await ids(), expected)
  })
}

t.test('goes on behind works that were undone, in whatever way', async t => {
  await open(t).transaction(async tx => {
    const refuse = () => tx.savepoints([() => tx.query('SELECT nothing')])
    await refuse()
    await tx.query(add(1))
    await refuse()
    await tx.savepoint(() => tx.query(add(2)))
    await refuse()
    await tx.openDrizzle().tx.execute(add(3))
  }, LIMITS)

  t.strictSame(await ids(), [1, 2, 3])
})

t.test('gives a transaction up when a work fails by itself', async t => {
  const writer = open(t)
  const failed = writer.transaction(
    tx =>
      tx.savepoints([
        () => tx.query(add(1)),
        async () => {
          await tx.query(add(2))
          throw new Error('lost count')
        },
        () => tx.query(add(3))
      ]),
    LIMITS
  )

  await t.rejects(failed, { message: 'lost count' })
  t.strictSame(await ids(), [])
  await worksAgain(t, writer)
})

for (const [what, send] of [
  [
    'works behind savepoints',
    (tx: WriteTransaction, text: string) => tx.savepoints(Array(4).fill(() => tx.query(text, ['1'])))
  ],
  [
    'statements of a handler',
    (tx: WriteTransaction, text: string) =>
      Promise.all(
        Array(12)
          .fill(text)
          .map(each => tx.query(each, ['1']))
      )
  ]
] as const) {
  for (const [when, isKnown] of [
    ['at its first use', false],
    ['when it was prepared before', true]
  ] as const) {
    t.test(`says that the connection is lost, of ${what} that wait for their turn, ${when}`, async t => {
      const writer = open(t)
      const text = 'SELECT pg_sleep($1::float8)'
      if (isKnown) await writer.transaction(tx => tx.query(text, ['0']), LIMITS)

      const lost = writer.transaction(async tx => {
        const [row] = await tx.query(PID)
        setTimeout(() => void terminate(row?.pid), 100)
        return send(tx, text)
      }, LIMITS)

      await t.rejects(lost, { code: 'SMG_DB_CONNECTION_LOST' })
      await worksAgain(t, writer)
    })
  }
}

t.test('says that the connection is lost, and not what a work was refused with before', async t => {
  const proxy = await createPostgresProxy(t, databaseUrl)
  const writer = open(t, proxy.url)
  const lost = writer.transaction(
    tx =>
      tx.savepoints([
        () => tx.query('SELECT nothing'),
        async () => {
          await tx.query('SELECT 1').catch(() => undefined)
          proxy.reset()
          return tx.query('SELECT 1')
        }
      ]),
    LIMITS
  )

  await t.rejects(lost, { code: 'SMG_DB_CONNECTION_LOST' })
  await worksAgain(t, open(t))
})

for (const outcome of ['undone', 'done']) {
  t.test(`rule 14: releases the savepoint of what was ${outcome}`, async t => {
    const released = open(t).transaction(async tx => {
      await tx.savepoint(() => tx.query(outcome === 'done' ? add(1) : 'SELECT nothing')).catch(() => undefined)
      await tx.query('RELEASE SAVEPOINT s1')
    }, LIMITS)

    await t.rejects(released, { code: '3B001' })
  })
}

for (const how of ['swallows', 'does not wait for']) {
  t.test(`undoes what stands behind a savepoint whose work ${how} a failure`, async t => {
    await open(t).transaction(async tx => {
      const failing = tx.savepoint(async () => {
        const failed = tx.query('SELECT nothing').catch(() => undefined)
        if (how === 'swallows') await failed
      })
      await t.rejects(failing, { code: '25P02' })
      await tx.savepoint(() => tx.query(add(1)))
    }, LIMITS)

    t.strictSame(await ids(), [1])
  })
}

t.test('rule 7: says so when COMMIT is answered with ROLLBACK', async t => {
  const writer = open(t)

  const committed = writer.transaction(async tx => {
    await tx.query(add(1))
    await tx.query(add(1)).catch(() => undefined)
  }, LIMITS)

  await t.rejects(committed, { code: 'SMG_DB_ROLLED_BACK', message: /ROLLBACK/ })
  t.strictSame(await ids(), [])
  await worksAgain(t, writer)
})

t.test('rule 12: meets a deferred constraint at its statement, not in COMMIT', async t => {
  const writer = open(t)
  let isPast = false

  const refused = writer.transaction(async tx => {
    await tx.query('INSERT INTO children VALUES (7)')
    isPast = true
  }, LIMITS)

  await t.rejects(refused, { code: '23503' })
  t.equal(isPast, false)
})

t.test('rejects with what COMMIT refused when the work has deferred it all the same', async t => {
  const writer = open(t)

  const refused = writer.transaction(async tx => {
    await tx.query('SET CONSTRAINTS ALL DEFERRED')
    await tx.query('INSERT INTO children VALUES (7)')
  }, LIMITS)

  await t.rejects(refused, { code: '23503' })
  await worksAgain(t, writer)
})

const COPY = 'COPY notes (id, body) FROM STDIN'
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `${from + index}\tx\n`).join('')

t.test('copies lines, and counts them', async t => {
  const writer = open(t)
  const body = 'a\tb\\c\nd\r\\. "e" \u00fc \u{1f600}\b\f\v'
  const counts = await writer.transaction(async tx => {
    const none = await tx.copy(COPY, '')
    const some = await tx.copy(COPY, `1\t${toCopyText(body)}\n2\t${toCopyText(null)}\n3\t${toCopyText('\\N')}\n4\t\n`)
    await tx.query(add(5))
    return [none, some, await tx.copy(COPY, lines(6, 60_006))]
  }, LIMITS)

  t.strictSame(counts, [0, 4, 60_000])
  const stored = await sql`SELECT body FROM notes WHERE id < 5 ORDER BY id`
  t.strictSame(
    stored.map(row => row.body),
    [body, null, '\\N', '']
  )
  t.equal((await ids()).length, 60_005)
})

const refusedLines = [
  { when: 'the first line is wrong, and most are still to come', text: () => `x\ty\n${lines(1, 100_000)}`, line: 1 },
  { when: 'the last line is wrong', text: () => `${lines(200, 5_199)}x\ty\n`, line: 5_000 },
  { when: 'a line has a key of before', text: () => `${lines(200, 300)}100\ty\n${lines(300, 400)}`, line: 101 },
  { when: 'a line is cut short', text: () => `${lines(1, 10)}11`, line: 10 }
]
for (const { when, text, line } of refusedLines) {
  t.test(`tells which line of a copy is refused when ${when}`, async t => {
    const writer = open(t)
    await writer.transaction(tx => tx.query(add(100)), LIMITS)
    const seen: unknown[] = []
    await writer.transaction(async tx => {
      await tx.savepoint(() => tx.copy(COPY, text())).catch(error => seen.push(error))
      await tx.copy(COPY, lines(1, 3))
    }, LIMITS)

    t.equal(copyLineOf(seen[0]), line, String(seen[0]))
    t.equal(databaseFault(seen[0]), 'record')
    t.strictSame(await ids(), [1, 2, 100], 'and goes on without it')
  })
}

t.test('rejects with what a copy was refused with, and keeps the connection', async t => {
  const writer = open(t)
  const [before] = await writer.transaction(tx => tx.query(PID), LIMITS)
  await t.rejects(
    writer.transaction(tx => tx.copy('COPY nothing FROM STDIN', lines(1, 9)), LIMITS),
    { code: '42P01' }
  )
  await t.rejects(
    writer.transaction(tx => tx.copy(COPY, `1\tx\n1\ty\n`), LIMITS),
    { code: '23505' }
  )

  const [after] = await writer.transaction(tx => tx.query(PID), LIMITS)
  t.equal(after?.pid, before?.pid)
  t.strictSame(await ids(), [])
})

for (const when of ['before it', 'in it', 'at its last line'] as const) {
  t.test(`rule 16: tells that the world failed when the connection of a copy is lost ${when}`, async t => {
    const writer = open(t)
    await sql`INSERT INTO notes VALUES (7)`
    const lock = await sql.reserve()
    await lock`BEGIN`
    // A copy that waits for its last row; and one that waits for its table.
    if (when === 'at its last line') await lock`DELETE FROM notes WHERE id = 7`
    if (when === 'in it') await lock`LOCK TABLE notes`

    const lost = writer.transaction(async tx => {
      const [row] = await tx.query(PID)
      if (when === 'before it') await terminate(row?.pid)
      const copied = tx.copy(COPY, `${lines(10, 500)}7\ty\n`)
      if (when !== 'before it') setTimeout(() => void terminate(row?.pid), 100)
      return copied
    }, LIMITS)
    const error = await lost.then(
      () => null,
      (reason: unknown) => reason
    )
    await lock`ROLLBACK`
    lock.release()

    t.equal(databaseFault(error), 'world', String(error))
    t.strictSame(await ids(), [7])
    await worksAgain(t, writer)
  })
}

t.test('copies without waiting for the acknowledgement of TCP', async t => {
  const writer = open(t)
  const startedMs = performance.now()
  await writer.transaction(async tx => {
    for (let round = 0; round < 250; round += 1) await tx.copy(COPY, lines(round * 100, round * 100 + 99))
  }, LIMITS)
  // 250 times 40 ms, if it did.
  t.ok(performance.now() - startedMs < 9_000, `${Math.round(performance.now() - startedMs)} ms`)
})

t.test('has one transaction at a time', async t => {
  const writer = open(t)
  const first = writer.transaction(tx => tx.query(PID), LIMITS)

  await t.rejects(
    writer.transaction(() => Promise.resolve(), LIMITS),
    { code: 'SMG_DB_BUSY' }
  )
  await first
})

t.test('takes nothing more in a transaction that is over', async t => {
  const writer = open(t)
  const kept = await writer.transaction(async tx => tx, LIMITS)

  await t.rejects(kept.query(add(1)), { code: 'SMG_DB_TRANSACTION_OVER' })
  await t.rejects(
    kept.savepoint(async () => undefined),
    { code: 'SMG_DB_TRANSACTION_OVER' }
  )
  t.strictSame(await ids(), [])
})

t.test('rule 8: sets its limits for the transaction, and for it alone', async t => {
  const writer = open(t)
  const names = [
    'transaction_isolation',
    'lock_timeout',
    'statement_timeout',
    'idle_in_transaction_session_timeout',
    'tcp_user_timeout',
    'tcp_keepalives_idle',
    'tcp_keepalives_interval',
    'tcp_keepalives_count',
    'TimeZone'
  ]
  const read = names.map(name => `current_setting('${name}')`).join(`|| ' ' ||`)
  const limits = { lockTimeoutMs: 11, statementTimeoutMs: 1_200, idleTimeoutMs: 5_300 }
  const seen: string[] = []

  await writer.transaction(async tx => {
    seen.push(String((await tx.query(`SELECT ${read} AS settings`))[0]?.settings))
    await tx.query('COMMIT')
    seen.push(String((await tx.query(`SELECT ${read} AS settings`))[0]?.settings))
  }, limits)

  // Only Linux has tcp_user_timeout.
  const unacknowledged = process.platform === 'linux' ? '5300' : '0'
  t.equal(seen[0], `read committed 11ms 1200ms 5300ms ${unacknowledged} 2 1 3 UTC`)
  // The system's own probes, which are late.
  t.match(seen[1], /^read committed 0 0 0 0 \d+ \d+ \d+ UTC$/)
  t.not(seen[1]?.split(' ').at(5), '2')
})

const limited = [
  { when: 'a lock is not to be had', limits: { lockTimeoutMs: 20 }, text: 'LOCK notes', code: '55P03' },
  { when: 'a statement takes too long', limits: { statementTimeoutMs: 20 }, text: 'SELECT pg_sleep(9)', code: '57014' }
]
for (const { when, limits, text, code } of limited) {
  t.test(`rule 8: gives up when ${when}`, async t => {
    const writer = open(t)
    const holder = open(t)
    let release = () => {}
    const isHeld = new Promise<void>(resolve => {
      release = resolve
    })
    let held = () => {}
    const hasLock = new Promise<void>(resolve => {
      held = resolve
    })
    const holding = holder.transaction(async tx => {
      await tx.query('LOCK notes')
      held()
      await isHeld
    }, LIMITS)
    await hasLock

    await t.rejects(
      writer.transaction(tx => tx.query(text), { ...LIMITS, ...limits }),
      { code }
    )
    release()
    await holding
    await worksAgain(t, writer)
  })
}

t.test('rule 8: loses its connection when it does nothing in a transaction for too long', async t => {
  const writer = open(t)

  const lost = writer.transaction(
    async tx => {
      const [row] = await tx.query(PID)
      await tx.query(add(1))
      await until(async () => (await sql`SELECT 1 FROM pg_stat_activity WHERE pid = ${Number(row?.pid)}`).length === 0)
      await tx.query(add(2))
    },
    { ...LIMITS, idleTimeoutMs: 30 }
  )

  await t.rejects(lost, { code: 'SMG_DB_CONNECTION_LOST' })
  t.strictSame(await ids(), [])
  await worksAgain(t, writer)
})

const losses = [
  {
    when: 'between two statements',
    async work(kill: () => Promise<unknown>, query: (text: string) => Promise<unknown>) {
      await kill()
      await query(add(2))
    }
  },
  {
    when: 'while a statement runs',
    async work(kill: () => Promise<unknown>, query: (text: string) => Promise<unknown>) {
      await Promise.all([query('SELECT pg_sleep(9)'), kill()])
    }
  },
  {
    when: 'and the work says something else',
    async work(kill: () => Promise<unknown>, query: (text: string) => Promise<unknown>) {
      await Promise.all([query('SELECT pg_sleep(9)'), kill()]).catch(() => undefined)
      throw new Error('payment failed')
    }
  },
  {
    when: 'and the work keeps it to itself',
    async work(kill: () => Promise<unknown>, query: (text: string) => Promise<unknown>) {
      await Promise.all([query('SELECT pg_sleep(9)'), kill()]).catch(() => undefined)
    }
  },
  {
    when: 'right before COMMIT',
    async work(kill: () => Promise<unknown>) {
      await kill()
    }
  }
]
for (const { when, work } of losses) {
  t.test(`rule 16: tells that the world failed when the connection is lost ${when}`, async t => {
    const writer = open(t)

    const lost = writer.transaction(async tx => {
      const [row] = await tx.query(PID)
      await tx.query(add(1))
      await work(
        () => terminate(row?.pid),
        text => tx.query(text)
      )
    }, LIMITS)

    const error = await lost.then(
      () => null,
      (reason: unknown) => reason
    )
    t.equal(databaseFault(error), 'world', String(error))
    t.strictSame(await ids(), [])
    await worksAgain(t, writer)
  })
}

t.test('rule 7: tells that the world failed when the connection is reset', async t => {
  const { url, reset } = await createPostgresProxy(t, databaseUrl)
  for (const atCommit of [false, true]) {
    const writer = open(t, url)
    const lost = writer.transaction(async tx => {
      await tx.query(add(1))
      if (atCommit) reset()
      else await Promise.all([tx.query('SELECT pg_sleep(9)'), reset()])
    }, LIMITS)

    await t.rejects(lost, { code: 'SMG_DB_CONNECTION_LOST', message: atCommit ? /during COMMIT/ : /in a transaction/ })
    await worksAgain(t, writer)
    await sql`DELETE FROM notes`
  }
})

t.test('tells that the world failed when nobody listens', async t => {
  const writer = open(t, 'postgres://nobody@127.0.0.1:1/none')
  const opened = writer.transaction(() => Promise.resolve(), LIMITS)

  const error = await opened.catch((reason: unknown) => reason)
  t.match(error, { code: 'SMG_DB_UNAVAILABLE' })
  t.equal(databaseFault(error), 'world')
})

t.test('rejects as PostgreSQL does when it does not let anyone in', async t => {
  const url = new URL(databaseUrl)
  url.pathname = '/no_such_database'

  await t.rejects(
    open(t, url.href).transaction(() => Promise.resolve(), LIMITS),
    { code: '3D000' }
  )
})

t.test('gives the connection up with all that the transaction did', async t => {
  const writer = open(t)
  const reason = new Error('an attempt did not end')

  const given = writer.transaction(async tx => {
    await tx.query(add(1))
    const running = t.rejects(tx.query('SELECT pg_sleep(9)'))
    await tx.destroy()
    await running
    throw reason
  }, LIMITS)

  t.equal(await given.catch(error => error), reason, 'the reason is passed on as it is')
  t.strictSame(await ids(), [])
  await worksAgain(t, writer)
})

t.test('makes a connection anew, once, when its prepared statements are out of date', async t => {
  const writer = open(t)
  const read = () =>
    writer.transaction(async tx => (await tx.query('SELECT * FROM aged WHERE $1', [true])).length, LIMITS)
  await sql`CREATE TABLE aged (a int)`
  await read()
  await sql`ALTER TABLE aged ADD COLUMN b int`

  const error = await read().catch(reason => reason)

  t.match(error, { code: 'SMG_DB_CONNECTION_LOST', cause: { code: '0A000' } })
  t.equal(databaseFault(error), 'world')
  t.equal(await read(), 0)

  const fresh = open(t).transaction(async tx => {
    await tx.query('PREPARE mine AS SELECT 1')
    await tx.query('DEALLOCATE mine')
    await tx.query('EXECUTE mine')
  }, LIMITS)
  await t.rejects(fresh, { code: '26000' }, 'on a fresh connection it is our fault')
})

t.test('a Drizzle transaction', async t => {
  const writer = open(t)
  const run = (work: (session: AttemptSession) => Promise<unknown>) =>
    writer.transaction(tx => work(tx.openDrizzle()), LIMITS)

  t.test('writes into the transaction, in transactions inside it too', async t => {
    await run(async ({ tx, seen }) => {
      await tx.insert(notes).values({ id: 1, body: 'a' })
      await tx.transaction(inner => inner.update(notes).set({ body: 'b' }).where(eq(notes.id, 1)))
      await tx
        .transaction(async inner => {
          await inner.insert(notes).values({ id: 2 })
          inner.rollback()
        })
        .catch(() => undefined)
      t.strictSame(await tx.select().from(notes), [{ id: 1, body: 'b' }])
      t.equal(seen(), undefined)
    })

    t.strictSame(await ids(), [1])
  })

  t.test('rule 16: tells what it saw, whatever the function made of it', async t => {
    await run(async ({ tx, seen }) => {
      await tx.transaction(inner => inner.execute(raw`SELECT 1 / 0`)).catch(() => undefined)
      await tx.transaction(inner => inner.execute(raw`SELECT nothing`)).catch(() => undefined)
      t.match(seen(), { code: '22012' }, 'the first failure')
    })
    const lost = writer.transaction(async transaction => {
      const [row] = await transaction.query(PID)
      await terminate(row?.pid)
      for (const { tx, seen } of [transaction.openDrizzle(), transaction.openDrizzle()]) {
        await tx.execute(raw`SELECT 1`).catch(() => undefined)
        t.equal(databaseFault(seen()), 'world', 'a lost connection as well, and one that was lost before')
      }
    }, LIMITS)
    await t.rejects(lost, { code: 'SMG_DB_CONNECTION_LOST' })
  })

  t.test('rule 15: takes nothing once it is revoked, prepared and nested objects included', async t => {
    const over = { code: 'SMG_DB_TRANSACTION_OVER' }
    const late: Promise<unknown>[] = []
    let nested: AttemptSession['tx'] | undefined
    let proceed = () => {}
    const isRevoked = new Promise<void>(resolve => {
      proceed = resolve
    })

    await writer.transaction(async transaction => {
      const { tx, revoke } = transaction.openDrizzle()
      const prepared = tx.insert(notes).values({ id: 7 }).prepare('late')
      let entered = () => {}
      const isInside = new Promise<void>(resolve => {
        entered = resolve
      })
      await transaction
        .savepoint(async () => {
          const outer = tx.transaction(async inner => {
            nested = inner as unknown as AttemptSession['tx']
            const within = inner.transaction(async () => {
              entered()
              await isRevoked
            })
            late.push(within.catch(error => error))
            await within.catch(() => undefined)
            await inner.insert(notes).values({ id: 8 })
          })
          late.push(outer.catch(error => error))
          await isInside
          revoke()
          throw new Error('timed out')
        })
        .catch(() => undefined)

      // The next record, in the same transaction.
      await transaction.savepoint(async () => {
        await transaction.query(add(1))
        proceed()
        t.match(await Promise.all(late), [{ cause: over }, over], 'the outer one and the one inside')
        await t.rejects(prepared.execute(), { cause: over })
        await t.rejects(tx.insert(notes).values({ id: 9 }), { cause: over })
        for (const kept of [tx, nested]) await t.rejects(async () => kept?.transaction(async () => undefined), over)
      })
    }, LIMITS)

    t.strictSame(await ids(), [1], 'what came after it is untouched')
  })

  t.test('rule 15: cannot reach into the next transaction', async t => {
    const { tx } = await writer.transaction(async transaction => transaction.openDrizzle(), LIMITS)

    await writer.transaction(async transaction => {
      await transaction.query(add(1))
      await t.rejects(tx.insert(notes).values({ id: 2 }))
      await t.rejects(tx.transaction(async () => undefined))
    }, LIMITS)

    t.strictSame(await ids(), [1])
  })
})

for (const { when, run } of [
  { when: 'a statement', run: (tx: WriteTransaction) => tx.query(add(1)) },
  {
    when: 'a statement of a function',
    run: (tx: WriteTransaction) => tx.openDrizzle().tx.insert(notes).values({ id: 1 })
  },
  { when: 'COMMIT', run: async () => undefined }
]) {
  t.test(`rule 8: gives a connection up that swallows ${when}, long before TCP does`, { timeout: 20_000 }, async t => {
    const proxy = await createPostgresProxy(t, databaseUrl)
    const writer = open(t, proxy.url)
    await writer.transaction(tx => tx.query(PID), LIMITS)
    const beganMs = Date.now()

    const error = await writer
      .transaction(
        async tx => {
          await tx.query(PID)
          proxy.swallow()
          await run(tx)
        },
        { ...LIMITS, statementTimeoutMs: 500 }
      )
      .catch(reason => reason)

    t.match(error, { code: 'SMG_DB_CONNECTION_LOST' })
    t.equal(databaseFault(error), 'world')
    t.ok(Date.now() - beganMs < 20_000, `after ${Date.now() - beganMs} ms`)
    proxy.restore()
    await worksAgain(t, writer)
  })
}

t.test('nothing was thrown beside any of these transactions', async t => t.strictSame(uncaught, []))
