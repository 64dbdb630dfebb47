import { once } from 'node:events'
import { type AddressInfo, createServer, connect as openSocket, type Socket } from 'node:net'
import { sql as statement } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { Type } from '../../sdk/index.ts'
import type { Input, LoadedFunction, TransactionContext } from '../../sdk/types.ts'
import { createTestDatabase } from '../_support/database.ts'
import { until } from '../_support/kafka.ts'
import { createTestAttachment } from './_support/attachment.ts'
import { batch, defineTestFunction, range } from './_support/records.ts'

const event = Type.Object({ n: Type.Number() })
const bounds = { 0: { logStartOffset: 0n, logEndOffset: 1_000n } }
const database = await createTestDatabase(t)
const { sql } = database
await sql.unsafe(`CREATE TABLE effects (place text, dawdles bool);
  CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NEW; END';
  CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON effects DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.dawdles) EXECUTE FUNCTION dawdle()`)

type Call = [input: Input, context: TransactionContext]

/** Where the way to PostgreSQL ends for the COMMIT that it is told to cut. */
type Cut = 'before it arrives' | 'after it committed' | 'while the backend hangs in it'
const COMMIT = Buffer.from('COMMIT\0')

/** A way to PostgreSQL that loses one COMMIT, or the answer to it. */
async function createCuttingProxy(t: Test) {
  const target = new URL(database.databaseUrl)
  let cut: Cut | null = null
  let cuts = 0

  const server = createServer(client => {
    const upstream = openSocket(Number(target.port), target.hostname)
    let isDeaf = false
    const lose = (socket: Socket) => {
      cut = null
      cuts += 1
      socket.destroy()
    }
    client.on('data', bytes => {
      const isCommit = cut !== null && bytes.includes(COMMIT)
      if (isCommit && cut === 'before it arrives') return lose(upstream)
      upstream.write(bytes)
      if (!isCommit) return
      isDeaf = true
      // The backend does not learn of it: its connection stays open until it has answered.
      if (cut === 'while the backend hangs in it') lose(client)
    })
    upstream.on('data', bytes => {
      if (!isDeaf) return void client.write(bytes)
      if (cut === 'after it committed') lose(client)
      upstream.destroy()
    })
    client.on('error', () => upstream.destroy())
    client.on('close', () => isDeaf || upstream.destroy())
    upstream.on('error', () => client.destroy())
    upstream.on('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())

  const url = new URL(database.databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    cutNext: (how: Cut) => {
      cut = how
    },
    cuts: () => cuts
  }
}

const write = ({ partition, offset }: Input, { tx }: TransactionContext, dawdles = false) =>
  tx.execute(statement`INSERT INTO effects (place, dawdles) VALUES (${`${partition}/${offset}`}, ${dawdles})`)
const transaction = defineTestFunction({ event, maxAttempts: 1, handle: (...call: Call) => write(...call) })
const dawdling = defineTestFunction({
  event,
  maxAttempts: 1,
  handle: async (input: Input, context: TransactionContext) => {
    // Else what is deferred is done before COMMIT, and nothing would hang in it.
    await context.tx.execute(statement`SET CONSTRAINTS ALL DEFERRED`)
    await write(input, context, input.offset === '1')
  }
})
const inbox = defineTestFunction({ event })

const cases: { kind: string; definition: LoadedFunction; cut: Cut }[] = [
  { kind: 'messages', definition: inbox, cut: 'before it arrives' },
  { kind: 'messages', definition: inbox, cut: 'after it committed' },
  { kind: 'a transaction', definition: transaction, cut: 'before it arrives' },
  { kind: 'a transaction', definition: transaction, cut: 'after it committed' },
  { kind: 'a transaction', definition: dawdling, cut: 'while the backend hangs in it' }
]
for (const { kind, definition, cut } of cases) {
  t.test(`rule 7: ${kind} is written once when COMMIT is cut ${cut}`, async t => {
    const proxy = await createCuttingProxy(t)
    const rig = await createTestAttachment(t, definition, { bounds, database: { sql, databaseUrl: proxy.url } })
    const { attachment, kafka, stored, position } = rig
    await sql`TRUNCATE effects`
    attachment.start()
    kafka.assign(0)
    await until(() => kafka.calls.length === 1)

    proxy.cutNext(cut)
    await kafka.deliver(batch(0, range(0, 3)))
    await until(() => proxy.cuts() === 1)
    await until(async () => (await position())?.next === 3)
    // What is in hand was written after all: only the tables tell.
    if (cut !== 'before it arrives') await until(() => kafka.calls.includes('start 0 3'))
    await kafka.deliver(batch(3, range(3, 4)))
    await until(async () => (await position())?.next === 4)

    t.strictSame(await stored(), [0, 1, 2, 3])
    t.strictSame(await position(), { next: 4, lost: 0, duplicates: 0 })
    const rows = await sql`SELECT place FROM effects ORDER BY place`
    t.strictSame(
      rows.map(({ place }) => place),
      definition.kind === 'transaction' ? ['0/0', '0/1', '0/2', '0/3'] : []
    )
    t.strictSame([...(await sql`SELECT FROM dead_letters`)], [])
    t.equal(attachment.state().state, 'running')
  })
}
