import t from 'tap'
import type { MoveRequest, MoveResult, OffsetRange } from '../../../../../db/queries/position-moves.ts'
import { buildApp, fakeCluster, fakeQueries, fakeWrites } from '../../../_support/build-app.ts'
import { isDocumented } from '../../../_support/documented.ts'

const topic = 'user-activities'
const status = { groupId: `smg.${topic}`, topic, topicId: null, lastMessageAt: null }
const counts = { messageCount: 0, rowCount: 0, deadLetterCount: 0, duplicateCount: 0, lostCount: 0 }
/** Logs of 10 records from 0 on; partition 2 has no position yet. */
const statuses = [0, 1].map(partition => ({ ...status, ...counts, partition, nextOffset: 4n }))

interface Rig {
  readonly result?: MoveResult
  readonly cluster?: Parameters<typeof fakeCluster>[0]
  readonly settled?: Map<number, number> | Error
}

/** An app that keeps what it was asked for. */
async function createRig(t: Parameters<typeof buildApp>[0], { result, cluster = {}, settled = new Map() }: Rig = {}) {
  const moves: MoveRequest[] = []
  const counted: OffsetRange[][] = []
  const app = await buildApp(t, {
    cluster: fakeCluster(cluster),
    queries: fakeQueries({
      topicStatus: { all: async () => statuses },
      positions: {
        async countSettled(_group, ranges) {
          counted.push([...ranges])
          if (settled instanceof Error) throw settled
          return settled
        }
      }
    }),
    writes: fakeWrites({
      positions: {
        async move(request) {
          moves.push(request)
          return result ?? { kind: 'moved', before: new Map([[0, 4n]]) }
        }
      }
    })
  })
  const post = (payload: object, of = topic) =>
    app.inject({ method: 'POST', url: `/api/topics/${of}/position`, payload })
  return { app, post, moves, counted }
}

t.test('POST /api/topics/{topic}/position', async t => {
  t.test('says in a dry run what a move would mean, and moves nothing', async t => {
    const { app, post, moves, counted } = await createRig(t, { settled: new Map([[0, 3]]) })

    const response = await post({ to: 'earliest', dryRun: true })

    t.equal(response.statusCode, 200)
    t.strictSame(response.json(), {
      topic,
      dryRun: true,
      partitions: [
        { partition: 0, from: '4', to: '0', records: 4, settledAlready: 3 },
        { partition: 1, from: '4', to: '0', records: 4, settledAlready: 0 },
        { partition: 2, from: null, to: '0', records: 0, settledAlready: 0 }
      ]
    })
    t.strictSame(counted[0]?.[0], { partition: 0, low: '0', high: '4' })
    t.strictSame(moves, [])
    isDocumented(t, app, response)
  })

  t.test('moves, and says where the positions really were', async t => {
    const before = new Map([
      [0, 6n],
      [1, 4n]
    ])
    const { app, post, moves } = await createRig(t, { result: { kind: 'moved', before } })

    const response = await post({ to: 'latest' })

    t.equal(response.statusCode, 202)
    t.match(response.json(), {
      dryRun: false,
      partitions: [
        { partition: 0, from: '6', to: '10', records: 4 },
        { partition: 1, from: '4', to: '10', records: 6 },
        { partition: 2, from: null, to: '10', records: 10 }
      ]
    })
    t.match(moves, [{ groupId: `smg.${topic}`, topic, asked: 'latest', operation: { operator: null } }])
    isDocumented(t, app, response)
  })

  t.test('goes to the first record of a time or later, and to the end where there is none', async t => {
    const asked: number[] = []
    const offsetsAt = async (_topic: string, timestampMs: number) => {
      asked.push(timestampMs)
      return new Map([[1, 7n]])
    }
    const { post, moves } = await createRig(t, { cluster: { offsetsAt } })

    t.match(await post({ to: '2026-01-31T13:00:00+01:00' }), { statusCode: 202 })
    await post({ to: '0001-01-01T00:00:00Z', dryRun: true })

    t.strictSame(asked, [Date.UTC(2026, 0, 31, 12), 0], 'below 0 are words of Kafka')
    t.strictSame(
      [...(moves[0]?.to ?? [])],
      [
        [0, 10n],
        [1, 7n],
        [2, 10n]
      ]
    )
  })

  t.test('moves the partitions that are named, and no other', async t => {
    const { post, moves } = await createRig(t)

    const response = await post({ to: { 2: '10', 0: '0' } })

    t.match(response.json().partitions, [
      { partition: 0, from: '4', to: '0' },
      { partition: 2, from: null, to: '10' }
    ])
    t.strictSame(
      [...(moves[0]?.to ?? [])],
      [
        [0, 0n],
        [2, 10n]
      ]
    )
  })

  t.test('does not count what retention has removed', async t => {
    const range = { logStartOffset: 6n, logEndOffset: 10n }
    const offsets = async () => new Map([0, 1, 2].map(partition => [partition, range]))
    const { post } = await createRig(t, { cluster: { offsets } })

    const response = await post({ to: 'latest', dryRun: true })

    t.match(response.json().partitions[0], { from: '4', to: '10', records: 4 })
  })

  t.test('moves although counting takes too long', async t => {
    const { app, post, moves } = await createRig(t, { settled: new Error('too long') })

    const response = await post({ to: 'earliest' })

    t.match(response.json().partitions[0], { to: '0', settledAlready: null })
    t.equal(moves.length, 1)
    isDocumented(t, app, response)
  })

  const wrong = [
    { when: 'no place', payload: {}, path: '/to' },
    { when: 'a word that is none', payload: { to: 'begin' }, path: '/to' },
    { when: 'a time without a zone', payload: { to: '2026-01-31T12:00:00' }, path: '/to' },
    { when: 'an offset behind the end', payload: { to: { 0: '11' } }, path: '/to/0' },
    { when: 'a partition that there is not', payload: { to: { 3: '0' } }, path: '/to/3' },
    { when: 'no partition', payload: { to: {} } },
    { when: 'a negative offset', payload: { to: { 0: '-1' } } },
    { when: 'an offset that is a number', payload: { to: { 0: 1 } } },
    { when: 'a partition of letters', payload: { to: { a: '1' } } },
    { when: 'an unknown member', payload: { to: 'latest', dry: true } },
    { when: 'a list', payload: [] }
  ]
  for (const { when, payload, path } of wrong) {
    t.test(`answers 400 to ${when}`, async t => {
      const { app, post, moves } = await createRig(t)

      const response = await post(payload)

      t.equal(response.statusCode, 400)
      if (path) t.match(response.json(), { errors: [{ path }] })
      t.strictSame(moves, [])
      isDocumented(t, app, response)
    })
  }

  const refusals = [
    { when: 'a runner holds a position', result: { kind: 'busy' }, code: 'SMG_GATEWAY_POSITION_BUSY' },
    {
      when: 'the positions are of another group',
      result: { kind: 'foreign', groupId: 'x' },
      code: 'SMG_GATEWAY_OTHER_GROUP'
    }
  ] as const
  for (const { when, result, code } of refusals) {
    t.test(`answers 409 when ${when}`, async t => {
      const { app, post } = await createRig(t, { result })

      const response = await post({ to: 'earliest' })

      t.match(response.json(), { status: 409, code })
      isDocumented(t, app, response)
    })
  }

  t.test('moves none when the leader of one is away, or the topic is not there', async t => {
    const some = await createRig(t, { cluster: { offsets: async () => new Map() } })
    const none = await createRig(t, { cluster: { topics: async () => new Map() } })

    for (const { app, post, moves } of [some, none]) {
      const response = await post({ to: 'earliest' })
      t.match(response.json(), { status: 503, code: 'SMG_GATEWAY_KAFKA_AWAY' })
      t.strictSame(moves, [])
      isDocumented(t, app, response)
    }
  })

  t.test('answers 404 to a topic without a function', async t => {
    const { app, post } = await createRig(t)

    const response = await post({ to: 'earliest' }, 'none')

    t.match(response.json(), { status: 404, code: 'SMG_GATEWAY_NO_TOPIC' })
    isDocumented(t, app, response)
  })
})
