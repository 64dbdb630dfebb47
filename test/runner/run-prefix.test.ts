import { sql as statement } from 'drizzle-orm'
import t from 'tap'
import { NonRetriableError, Type } from '../../sdk/index.ts'
import type { Input, Options, Transaction, TransactionContext } from '../../sdk/types.ts'
import { createTestDatabase, type Teardown } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { setClock } from '../_support/set-clock.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, fetched, idOf, range } from './_support/records.ts'

const event = Type.Object({ n: Type.Number() })
const log = { logStartOffset: 0n, logEndOffset: 1_000n }
const bounds = { 0: log, 1: log }
const database = await createTestDatabase(t)
await database.sql`CREATE TABLE effects (place text, note text UNIQUE, tx xid8 DEFAULT pg_current_xact_id())`

type Handle = (input: Input, context: TransactionContext) => unknown

/** A function with a transaction, attached and with its partitions assigned; `note` is its effect. */
async function attach(
  t: Teardown,
  handle: Handle,
  { partitions = [0], ...options }: { partitions?: number[] } & Omit<Options, 'partitions'> = {}
) {
  const calls: string[] = []
  const definition = defineTestFunction({
    event,
    backoffMs: { min: 1, max: 1 },
    ...options,
    handle: (input: Input, context: TransactionContext) => {
      calls.push(`${input.partition}/${input.offset}#${context.attempt}`)
      return handle(input, context)
    }
  })
  const rig = await createTestAttachment(t, definition, { bounds, database })
  await rig.sql`TRUNCATE effects`
  rig.attachment.start()
  rig.kafka.assign(...partitions)
  await until(() => rig.kafka.calls.length === partitions.length)

  return {
    ...rig,
    calls,
    async effects(): Promise<string[]> {
      const rows = await rig.sql`SELECT place FROM effects ORDER BY place`
      return rows.map(({ place }) => place)
    },
    async letters() {
      const rows =
        await rig.sql`SELECT "offset"::int AS at, disposition, attempts, error_name AS name, error_message AS message,
        copies::text AS copies FROM dead_letters ORDER BY "offset"`
      return rows.map(row => ({ ...row, copies: JSON.parse(row.copies) }))
    }
  }
}

function write(tx: Transaction, { partition, offset }: Input, note: string | null = null) {
  return tx.execute(statement`INSERT INTO effects (place, note) VALUES (${`${partition}/${offset}`}, ${note})`)
}

function createDoor() {
  let open: (value?: unknown) => void = () => undefined
  const closed = new Promise(resolve => {
    open = resolve
  })
  return { closed, open: () => open() }
}

t.test('rule 14: commits what was done before a record that fails, and remembers its attempts', async t => {
  const { kafka, calls, effects, stored, letters, position } = await attach(
    t,
    async (input, { tx, attempt }) => {
      await write(tx, input)
      if (input.offset === '2' && attempt < 3) throw new Error('not yet')
    },
    { backoffMs: { min: 300, max: 300 } }
  )

  await kafka.deliver(batch(0, range(0, 4)))
  await until(async () => (await position())?.next === 2)
  t.strictSame(await effects(), ['0/0', '0/1'], 'committed while the third waits')
  await until(async () => (await position())?.next === 4)

  t.strictSame(calls, ['0/0#1', '0/1#1', '0/2#1', '0/2#2', '0/2#3', '0/3#1'])
  t.strictSame(await effects(), ['0/0', '0/1', '0/2', '0/3'])
  t.strictSame(await stored(), [0, 1, 2, 3])
  t.strictSame(await letters(), [])
})

t.test('rule 14: a record has its next attempt in time, although the clock is set back meanwhile', async t => {
  const moveClock = setClock(t)
  const { kafka, calls, stored } = await attach(
    t,
    async ({ offset }, { attempt }) => {
      if (offset === '1' && attempt === 1) throw new Error('not yet')
    },
    { backoffMs: { min: 500, max: 500 } }
  )

  await kafka.deliver(batch(0, range(0, 3)))
  await until(async () => (await stored()).length === 1)
  moveClock(-3_600_000)
  await until(async () => (await stored()).length === 3)

  t.strictSame(calls, ['0/0#1', '0/1#1', '0/1#2', '0/2#1'])
})

t.test('undoes a record that is given up, and goes on behind it', async t => {
  const { kafka, calls, effects, stored, letters, position } = await attach(
    t,
    async (input, { tx }) => {
      await write(tx, input)
      if (input.offset === '1') throw new Error('never')
      if (input.offset === '2') throw new NonRetriableError('at once')
    },
    { maxAttempts: 2 }
  )

  await kafka.deliver(batch(0, [...range(0, 4), fetched(4, '{'), fetched(5, { n: 'x' })]))
  await until(async () => (await position())?.next === 6)

  t.strictSame(calls, ['0/0#1', '0/1#1', '0/1#2', '0/2#1', '0/3#1'])
  t.strictSame(await effects(), ['0/0', '0/3'])
  t.strictSame(await stored(), [0, 3])
  t.match(await letters(), [
    { at: 1, disposition: 'attempts_exhausted', attempts: 2, message: 'never' },
    { at: 2, disposition: 'non_retriable', attempts: 1 },
    { at: 4, disposition: 'decode_failed', attempts: 0 },
    { at: 5, disposition: 'validation_failed', attempts: 0 }
  ])
})

t.test('rule 14: a record that waits for its next attempt holds back no other partition', async t => {
  const { kafka, stored } = await attach(
    t,
    async ({ partition }) => {
      if (partition === 0) throw new Error('no')
    },
    { partitions: [0, 1], backoffMs: { min: 60_000, max: 60_000 } }
  )

  await kafka.deliver(batch(0, range(0, 1)))
  await kafka.deliver(batch(0, range(0, 3), { partition: 1 }))
  await until(async () => (await stored(1)).length === 3)

  t.strictSame(await stored(0), [])
})

t.test('rule 15: an attempt that is out of time can write no more', async t => {
  const door = createDoor()
  const late: unknown[] = []
  const { kafka, calls, effects, letters, position, attachment, metrics } = await attach(
    t,
    async (input, { tx }) => {
      await write(tx, input)
      if (input.offset !== '1') return
      await door.closed
      for (const act of [() => write(tx, input, 'late'), () => tx.transaction(async nested => write(nested, input))]) {
        late.push(
          await act().catch((error: { code?: string; cause?: { code?: string } }) => error.cause?.code ?? error.code)
        )
      }
    },
    { timeoutMs: 100, maxAttempts: 2 }
  )

  await kafka.deliver(batch(0, range(0, 3)))
  await until(async () => (await position())?.next === 3)
  door.open()
  await until(() => late.length === 4)

  t.match(await letters(), [{ at: 1, disposition: 'timed_out', attempts: 2 }])
  t.strictSame(await effects(), ['0/0', '0/2'])
  t.strictSame(late, Array(4).fill('SMG_DB_TRANSACTION_OVER'))
  t.match(await metrics.lateCalls.get(), { values: [{ value: 4 }] }, 'each is counted')
  t.strictSame(
    calls.filter(call => call.startsWith('0/1')),
    ['0/1#1', '0/1#2']
  )
  t.strictSame(
    calls.filter(call => call.startsWith('0/0')),
    ['0/0#1', '0/0#1'],
    'what was done before it is lost once, and then committed first'
  )
  t.equal(attachment.state().state, 'running')
})

t.test('rule 15: an attempt that is over can write nothing into the next one', async t => {
  const kept: Transaction[] = []
  const refusals: unknown[] = []
  const { kafka, effects, position } = await attach(t, async (input, { tx }) => {
    kept.push(tx)
    const [first] = kept
    if (first && first !== tx)
      await write(first, input).catch((error: { code?: string; cause?: { code?: string } }) =>
        refusals.push(error.cause?.code ?? error.code)
      )
    await write(tx, input)
  })

  await kafka.deliver(batch(0, range(0, 3)))
  await until(async () => (await position())?.next === 3)

  t.strictSame(refusals, Array(2).fill('SMG_DB_TRANSACTION_OVER'))
  t.strictSame(await effects(), ['0/0', '0/1', '0/2'])
})

t.test('rule 15: an attempt that is out of time in a statement is given up with its connection', async t => {
  const { kafka, effects, letters, position, sql } = await attach(
    t,
    async (input, { tx }) => {
      await write(tx, input)
      if (input.offset === '1') await tx.execute(statement`SELECT pg_sleep(60)`)
    },
    { timeoutMs: 100, maxAttempts: 1 }
  )

  await kafka.deliver(batch(0, range(0, 3)))
  await until(async () => (await position())?.next === 3)

  t.strictSame(await effects(), ['0/0', '0/2'])
  t.match(await letters(), [{ at: 1, disposition: 'timed_out', attempts: 1 }])
  await until(async () => {
    const [row] = await sql`SELECT count(*)::int AS open FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'test-writer' AND state <> 'idle'`
    return row?.open <= 1
  })
})

const swallowed: { when: string; after: (tx: Transaction, input: Input) => Promise<unknown> }[] = [
  { when: 'and nothing else', after: async () => undefined },
  { when: 'and writes on', after: (tx, input) => write(tx, input) }
]
for (const { when, after } of swallowed) {
  t.test(`a function that swallows the failure of a statement ${when} has failed`, async t => {
    const { kafka, effects, letters, stored, position, attachment } = await attach(
      t,
      async (input, { tx }) => {
        await write(tx, input, input.offset === '1' ? 'taken' : null)
        if (input.offset !== '1') return
        await write(tx, input, 'taken').catch(() => undefined)
        await after(tx, input)
      },
      { maxAttempts: 2 }
    )

    await kafka.deliver(batch(0, range(0, 3)))
    await until(async () => (await position())?.next === 3 || attachment.state().state === 'stopped')

    t.equal(attachment.state().state, 'running', 'one record does not stop the function')
    t.strictSame(await effects(), ['0/0', '0/2'])
    t.strictSame(await stored(), [0, 2])
    t.match(await letters(), [{ at: 1, disposition: 'attempts_exhausted', attempts: 2 }])
  })
}

t.test('a function may try something in a transaction of its own inside', async t => {
  const { kafka, effects, letters, position } = await attach(t, async (input, { tx }) => {
    await tx.transaction(async inner => write(inner, input, 'same')).catch(() => undefined)
    await write(tx, input)
  })

  await kafka.deliver(batch(0, range(0, 2)))
  await until(async () => (await position())?.next === 2)

  t.strictSame(await effects(), ['0/0', '0/0', '0/1'])
  t.strictSame(await letters(), [])
})

const faults: { when: string; act: (tx: Transaction) => Promise<unknown> }[] = [
  { when: 'its connection is lost', act: tx => tx.execute(statement`SELECT pg_terminate_backend(pg_backend_pid())`) },
  {
    when: 'it is the victim of a deadlock',
    act: tx => tx.execute(statement`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$`)
  },
  {
    when: 'it could not be serialized',
    act: tx => tx.execute(statement`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$`)
  },
  {
    when: 'the disk is full',
    act: tx => tx.execute(statement`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53100'; END $$`)
  }
]
for (const { when, act } of faults) {
  for (const wrapped of [false, true]) {
    t.test(`rule 16: uses no attempt when ${when}${wrapped ? ', whatever the function makes of it' : ''}`, async t => {
      let failures = 0
      const { kafka, calls, effects, letters, position, attachment } = await attach(
        t,
        async (input, { tx }) => {
          await write(tx, input)
          if (input.offset !== '1' || failures++ > 1) return
          await act(tx).catch(error => {
            throw wrapped ? new NonRetriableError('payment failed') : error
          })
        },
        { maxAttempts: 1 }
      )

      await kafka.deliver(batch(0, range(0, 3)))
      await until(async () => (await position())?.next === 3)

      t.strictSame(await letters(), [])
      t.strictSame(await effects(), ['0/0', '0/1', '0/2'])
      t.ok(calls.every(call => call.endsWith('#1')))
      t.equal(attachment.state().state, 'running')
    })
  }
}

for (const wrapped of [false, true]) {
  t.test(
    `rule 16: a record whose statements are cancelled to its last attempt is dead${wrapped ? ', not before' : ''}`,
    async t => {
      const { kafka, calls, effects, letters, position } = await attach(
        t,
        async (input, { tx, attempt }) => {
          await write(tx, input)
          if (input.offset !== '1' && (input.offset !== '2' || attempt > 2)) return
          const raise = tx.execute(statement`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57014'; END $$`)
          await raise.catch(error => {
            throw wrapped ? new NonRetriableError('payment failed') : error
          })
        },
        { maxAttempts: 3 }
      )

      await kafka.deliver(batch(0, range(0, 4)))
      await until(async () => (await position())?.next === 4)

      t.match(await letters(), [{ at: 1, attempts: 3 }])
      t.strictSame(await effects(), ['0/0', '0/2', '0/3'])
      for (const call of ['0/1#3', '0/2#3']) t.ok(calls.includes(call), call)
    }
  )
}

t.test('rule 16: an outage between attempts 2 and 3 uses none', async t => {
  let outages = 0
  const { kafka, calls, letters, position } = await attach(
    t,
    async (input, { tx, attempt }) => {
      await write(tx, input)
      if (attempt < 3) throw new Error('not yet')
      if (outages++ < 2) await tx.execute(statement`SELECT pg_terminate_backend(pg_backend_pid())`)
    },
    { maxAttempts: 3 }
  )

  await kafka.deliver(batch(0, range(0, 1)))
  await until(async () => (await position())?.next === 1)

  t.strictSame(calls, ['0/0#1', '0/0#2', '0/0#3', '0/0#3', '0/0#3'])
  t.strictSame(await letters(), [])
})

t.test('rule 19: stops for a fault of ours, and dead-letters nothing', async t => {
  const { kafka, letters, position, attachment } = await attach(
    t,
    async (_, { tx }) => tx.execute(statement`SELECT * FROM no_such_table`),
    { maxAttempts: 1 }
  )

  await kafka.deliver(batch(0, range(0, 2)))
  await until(() => attachment.state().state === 'stopped')

  t.match(attachment.state().reason, /no_such_table/)
  t.strictSame(await letters(), [])
  t.equal((await position())?.next, 0)
})

t.test('rule 14: puts at most 60 records into a transaction, in order', async t => {
  const { kafka, calls, sql, position } = await attach(t, async (input, { tx }) => write(tx, input))

  await kafka.deliver(batch(0, range(0, 150)))
  await until(async () => (await position())?.next === 150)

  const rows = await sql`SELECT count(*)::int AS records FROM effects GROUP BY tx`
  t.ok(rows.every(({ records }) => records <= 60))
  t.ok(rows.length < 10, 'and not one each')
  t.strictSame(
    calls,
    Array.from({ length: 150 }, (_, offset) => `0/${offset}#1`)
  )
})

t.test('rule 14: ends a transaction after a second', { timeout: 20_000 }, async t => {
  const { kafka, sql, position } = await attach(t, async (input, { tx }) => {
    await write(tx, input)
    await tx.execute(statement`SELECT pg_sleep(0.4)`)
  })

  await kafka.deliver(batch(0, range(0, 6)))
  await until(async () => (await position())?.next === 6)

  const rows = await sql`SELECT count(*)::int AS records FROM effects GROUP BY tx`
  t.ok(rows.every(({ records }) => records <= 3))
})

function fromGateway(offset: number, id: string, value: object = { n: 1 }) {
  const headers = Object.entries({ id, 'producer-id': 'smg-kafka-producer' })
  return fetched(offset, value, { headers: headers.map(([name, text]) => [name, Buffer.from(text)] as const) })
}

t.test('rule 11: does not handle a copy, in the same transaction or a later one', async t => {
  const { kafka, calls, effects, letters, stored, position } = await attach(t, async (input, { tx }) =>
    write(tx, input)
  )
  const copies = [0, 1, 2].map(offset => fromGateway(offset, idOf(1)))

  await kafka.deliver(batch(0, copies))
  await until(async () => (await position())?.next === 3)
  await kafka.deliver(batch(3, [fromGateway(3, idOf(1))]))
  await until(async () => (await position())?.next === 4)

  t.strictSame(calls, ['0/0#1'])
  t.strictSame(await effects(), ['0/0'])
  t.strictSame(await stored(), [0])
  t.strictSame(await letters(), [])
  t.equal((await position())?.duplicates, 3)
})

t.test('rule 9: never drops an event that has the id of another one', async t => {
  const { kafka, effects, letters, position } = await attach(t, async (input, { tx }) => write(tx, input))

  await kafka.deliver(
    batch(0, [
      fromGateway(0, idOf(1)),
      fromGateway(1, idOf(1), { n: 2 }),
      fromGateway(2, idOf(1)),
      fromGateway(3, idOf(1), { n: 3 })
    ])
  )
  await until(async () => (await position())?.next === 4)

  t.strictSame(await effects(), ['0/0'])
  t.match(await letters(), [
    { at: 1, disposition: 'id_reused' },
    { at: 3, disposition: 'id_reused' }
  ])
  t.equal((await position())?.duplicates, 1)
})

t.test('rule 10: keeps one dead letter of an event that comes more than once', async t => {
  const { kafka, calls, letters, position, attachment } = await attach(t, async () => {
    throw new NonRetriableError('no')
  })
  const bad = (offset: number) => fromGateway(offset, idOf(2), { wrong: true })

  await kafka.deliver(batch(0, [fromGateway(0, idOf(1)), fromGateway(1, idOf(1)), bad(2), bad(3), bad(4)]))
  await until(async () => (await position())?.next === 5 || attachment.state().state === 'stopped')
  await kafka.deliver(batch(5, [fromGateway(5, idOf(1))]))
  await until(async () => (await position())?.next === 6 || attachment.state().state === 'stopped')

  t.equal(attachment.state().state, 'running')
  t.match(await letters(), [
    {
      at: 0,
      copies: [
        [0, '1'],
        [0, '5']
      ]
    },
    {
      at: 2,
      copies: [
        [0, '3'],
        [0, '4']
      ]
    }
  ])
  t.notOk(calls.includes('0/5#1'), 'what has a dead letter is not attempted again')
})

t.test('settles a record whose function throws what defies a look at it', async t => {
  const { kafka, letters, position, attachment } = await attach(
    t,
    async ({ offset }) => {
      if (offset === '0')
        throw new Proxy(new Error('x'), {
          get() {
            throw new Error('no')
          }
        })
    },
    { maxAttempts: 2 }
  )

  await kafka.deliver(batch(0, range(0, 2)))
  await until(async () => (await position())?.next === 2 || attachment.state().state === 'stopped')

  t.match(await letters(), [{ at: 0, attempts: 2 }])
})
