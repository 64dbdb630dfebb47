import { randomUUID } from 'node:crypto'
import t from 'tap'
import { startProcesses } from '../_support/processes.ts'

const TOPIC = 'user-activities'
const TIMEOUT_MS = 3_000

t.test('rule 24: a gateway that is killed between acknowledgement and answer', { timeout: 120_000 }, async t => {
  const environment = {
    FUNCTIONS: TOPIC,
    PRODUCE_TIMEOUT_MS: String(TIMEOUT_MS),
    // The second request of each gateway: Kafka has its event, and nobody hears of it.
    SMG_FAILPOINTS: 'after-produce-before-ack=kill@2'
  }
  const processes = await startProcesses(t, { environment })
  const { sql, until } = processes

  async function post(userId: string, key?: string) {
    const headers = { 'content-type': 'application/json', ...(key ? { 'idempotency-key': key } : {}) }
    const body = JSON.stringify({ userId, action: 'login' })
    const response = await fetch(`${processes.gatewayUrl}/api/produce/${TOPIC}`, { method: 'POST', headers, body })
    return { status: response.status, id: ((await response.json()) as { id?: string }).id }
  }

  async function postAndDie(userId: string, key?: string) {
    await t.rejects(post(userId, key), 'nobody answers')
    await until(() => !processes.pids.has('gateway'))
    await processes.startGateway()
  }

  const rowsOf = async (userId: string) =>
    (await sql`SELECT id::text AS id FROM user_activities WHERE user_id = ${userId}`).map(({ id }) => id)

  t.test('with a key, gives a repeat the one event that there is', async t => {
    const key = randomUUID()
    await post('other')
    await postAndDie('keyed', key)
    await until(async () => (await rowsOf('keyed')).length === 1)

    // Until its time is over, another gateway may still be at it.
    t.equal((await sql`SELECT FROM idempotency_keys WHERE status IS NULL`).length, 1)
    await sql`UPDATE idempotency_keys SET started_at = started_at - ${TIMEOUT_MS} * interval '1 ms'`
    const repeat = await post('keyed', key)
    await until(async () => (await processes.lag(TOPIC)) === 0)

    t.equal(repeat.status, 202)
    t.strictSame(await rowsOf('keyed'), [repeat.id])
    const [status] = await sql`SELECT sum(duplicate_count)::int AS copies FROM topic_status`
    t.equal(status?.copies, 1, 'the copy came, and had no effect')
  })

  t.test('without a key, loses nothing, and takes a repeat for another event', async t => {
    await postAndDie('plain')
    const repeat = await post('plain')
    await until(async () => (await rowsOf('plain')).length === 2)

    t.equal(repeat.status, 202)
    t.ok((await rowsOf('plain')).includes(repeat.id))
    t.strictSame([...(await sql`SELECT FROM dead_letters`)], [])
  })
})
