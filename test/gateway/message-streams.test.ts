import type { Readable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import type { KeyCount, MovedPartition, TailFilters, TailRow } from '../../db/queries/message-tail.ts'
import type { PartitionStatus } from '../../db/queries/topic-status.ts'
import { createMessageStreams } from '../../gateway/message-streams.ts'
import { until } from './_support/open-request.ts'

const rest = { groupId: 'g', topicId: null, rowCount: 0, deadLetterCount: 0, duplicateCount: 0, lostCount: 0 }
const at = '2026-01-31T12:00:00.000Z'

/** Streams over a database that the test is. */
function createRig(t: { teardown(end: () => void): void }, { maxStreams = 10 } = {}) {
  const database = {
    statuses: [] as PartitionStatus[],
    rows: [] as TailRow[],
    isAway: false,
    cut: [] as string[],
    maxShown: Number.POSITIVE_INFINITY,
    looks: 0,
    meanwhile: (): void | Promise<void> => {}
  }
  const asked: { moved: readonly MovedPartition[]; keys: readonly string[] | null }[] = []
  const resumed: TailFilters[] = []
  const clock = { nowMs: 0 }
  const streams = createMessageStreams({
    queries: {
      topicStatus: {
        async all() {
          database.looks += 1
          if (database.isAway) throw new Error('away')
          return database.statuses
        }
      },
      messageTail: {
        async since(moved, keys) {
          asked.push({ moved, keys })
          const rows = database.rows.filter(({ topic, partition, offset, key }) => {
            const isMoved = moved.some(
              one =>
                one.topic === topic &&
                one.partition === partition &&
                offset >= BigInt(one.low) &&
                offset < BigInt(one.high)
            )
            return isMoved && (keys === null || (key !== null && keys.includes(key)))
          })
          return {
            rows: rows.slice(-database.maxShown),
            counts: keys ? countKeys(rows) : [],
            cut: keys ? database.cut : []
          }
        },
        async after(place, filters) {
          resumed.push(filters)
          await database.meanwhile()
          const rows = database.rows.filter(({ place: { id } }) => id > place.id)
          return { rows, total: rows.length }
        }
      }
    },
    maxStreams,
    intervalMs: 1,
    steadyMs: () => clock.nowMs,
    log: pino({ enabled: false })
  })
  t.teardown(streams.close)
  const open = (
    filters: TailFilters = {},
    { after = null as string | null, lifetimeMs = Number.POSITIVE_INFINITY } = {}
  ) => {
    const place = after === null ? null : { time: at, id: after, topic: 'a' }
    const body = streams.open({ filters, after: place, lifetimeMs })
    return body && collect(body)
  }

  /** Settles messages: one more at each of these places. */
  function settle(...places: { topic?: string; partition?: number; key?: string }[]) {
    for (const { topic = 'a', partition = 0, key = null } of places) {
      const known = database.statuses.find(one => one.topic === topic && one.partition === partition)
      const offset = known?.nextOffset ?? 0n
      const id = `${topic}${partition}-${offset}`
      const place = { time: at, id, topic }
      database.rows.push({ topic, partition, offset, key, place, item: JSON.stringify({ id }) })
      const next = { nextOffset: offset + 1n, messageCount: Number(offset) + 1, lastMessageAt: at }
      database.statuses = [...database.statuses.filter(one => one !== known), { ...rest, topic, partition, ...next }]
    }
  }

  /** Until a look that began after this has ended. */
  async function looked() {
    const { looks } = database
    await until(() => database.looks > looks + 1)
  }
  return { database, asked, resumed, clock, streams, open, settle, looked }
}

function countKeys(rows: readonly TailRow[]): KeyCount[] {
  return rows.map(({ topic, partition, key }) => ({ topic, partition, key: key ?? '', count: 1 }))
}

function collect(body: Readable) {
  const state = { text: '', isOver: false, body }
  body.setEncoding('utf8')
  body.on('data', text => {
    state.text += text
  })
  body.on('end', () => {
    state.isOver = true
  })
  return Object.assign(state, {
    /** Ids of messages, and names of other events, as they came. */
    events: () =>
      [...state.text.matchAll(/event: (\w+)\ndata: (.*)\n\n/g)].map(([, name, data = '']) => {
        const { id, count } = JSON.parse(data)
        return name === 'message' ? id : count === undefined ? name : `${name} ${count}`
      })
  })
}

t.test('shows each stream what it is about, and nothing from before it began', async t => {
  const { open, settle, looked, asked } = createRig(t)
  settle({}, { topic: 'b' })
  const [all, topic, partition, key] = [{}, { topic: 'b' }, { partition: 1 }, { key: 'k' }].map(filters =>
    open(filters)
  )
  await looked()

  settle({ key: 'k' }, { topic: 'b', partition: 1 }, { topic: 'b', key: 'other' })
  await looked()

  t.strictSame(all?.events(), ['a0-1', 'b1-0', 'b0-1'])
  t.strictSame(topic?.events(), ['b1-0', 'b0-1'])
  t.strictSame(partition?.events(), ['b1-0'])
  t.strictSame(key?.events(), ['a0-1'])
  t.match(all?.text, /^retry: 1000\n\nid: \S+\nevent: message\n/)
  t.strictSame(
    asked.map(({ keys }) => keys),
    [null, ['k']],
    'one look for all streams, and one for those of keys'
  )
})

t.test('reads no message that nobody wants, and asks nothing when nobody streams', async t => {
  const { open, settle, looked, asked, database } = createRig(t)
  const one = open({ topic: 'b' })
  await looked()

  settle({})
  await looked()
  one?.body.destroy()
  await until(() => one?.body.closed === true)
  const { looks } = database
  await new Promise(resolve => setTimeout(resolve, 50))

  t.strictSame(asked, [])
  t.ok(database.looks <= looks + 1, 'the look that was under way is the last')
})

t.test('counts what is settled and cannot be shown', async t => {
  const { open, looked, settle, database } = createRig(t)
  settle({})
  const one = open()
  await looked()

  database.statuses = database.statuses.map(status => ({ ...status, messageCount: 8 }))
  await looked()

  t.strictSame(one?.events(), ['skipped 7'])
})

t.test('counts what is settled of a key and not given', async t => {
  const { open, looked, settle, database } = createRig(t)
  settle({}, { topic: 'b' })
  const [any, one, other] = [{ key: 'k' }, { key: 'k', topic: 'a' }, { key: 'l' }].map(filters => open(filters))
  await looked()

  database.maxShown = 2
  settle(...[1, 2, 3, 4].map(() => ({ key: 'k' })), { topic: 'b', key: 'k' }, { key: 'l' })
  await looked()

  t.strictSame(any?.events(), ['skipped 4', 'b0-1'])
  t.strictSame(one?.events(), ['skipped 4'])
  t.strictSame(other?.events(), ['a0-5'])
})

t.test('tells those of a key that something may be missing where not all was read', async t => {
  const { open, looked, settle, database } = createRig(t)
  settle({}, { topic: 'b' })
  const [any, one, other, all] = [{ key: 'k' }, { key: 'k', topic: 'a' }, { key: 'k', topic: 'b' }, {}].map(filters =>
    open(filters)
  )
  await looked()

  database.cut = ['a']
  settle({ key: 'k' }, { topic: 'b', key: 'k' })
  await looked()

  t.strictSame(any?.events(), ['skipped null', 'a0-1', 'b0-1'])
  t.strictSame(one?.events(), ['skipped null', 'a0-1'])
  t.strictSame(other?.events(), ['b0-1'])
  t.strictSame(all?.events(), ['a0-1', 'b0-1'])
})

t.test('goes on behind the last event of a client, each message once', async t => {
  const { open, settle, looked, resumed } = createRig(t)
  settle({}, {}, {})
  const one = open({ topic: 'a' }, { after: 'a0-0' })
  await looked()
  settle({})
  await looked()

  t.strictSame(one?.events(), ['a0-1', 'a0-2', 'a0-3'])
  t.strictSame(resumed, [{ topic: 'a' }])
})

t.test('goes on with each message once, although more are settled while it looks for what was missed', async t => {
  const { open, settle, looked, database } = createRig(t)
  settle({}, {})
  database.meanwhile = () => {
    database.meanwhile = () => undefined
    settle({})
  }

  const one = open({}, { after: 'a0-0' })
  await looked()

  t.strictSame(one?.events(), ['a0-1', 'a0-2'])
})

t.test('says once that PostgreSQL is away, and that it is back, and misses nothing', async t => {
  const { open, settle, looked, database } = createRig(t)
  const early = open()
  await looked()

  database.isAway = true
  await until(() => early?.events().includes('away') === true)
  settle({})
  const late = open({}, { after: '' })
  database.isAway = false
  await until(() => early?.events().includes('a0-0') === true && late?.events().length === 3)

  t.strictSame(early?.events(), ['away', 'back', 'a0-0'])
  t.strictSame(late?.events(), ['away', 'back', 'a0-0'])
})

t.test('begins anew with a client for which nothing can be found, and nobody else hears of it', async t => {
  const { open, settle, looked, database, resumed } = createRig(t)
  settle({}, {})
  const told = open()
  await looked()
  database.meanwhile = async () => {
    if (resumed.at(-1)?.key === 'rare') throw new Error('canceling statement due to statement timeout')
  }

  const rare = open({ key: 'rare' }, { after: 'a0-0' })
  const later = open({}, { after: 'a0-0' })
  await looked()
  settle({ key: 'rare' })
  await looked()

  t.strictSame(rare?.events(), ['skipped null', 'a0-2'])
  t.strictSame(later?.events(), ['a0-1', 'a0-2'])
  t.strictSame(told?.events(), ['a0-2'], 'PostgreSQL was there')
  t.equal(resumed.length, 2, 'it is looked for once')
})

t.test('says that PostgreSQL is away when it goes while a client comes again, which misses nothing', async t => {
  const { open, settle, looked, database } = createRig(t)
  settle({}, {})
  const told = open()
  await looked()
  database.meanwhile = async () => {
    database.isAway = true
    throw new Error('away')
  }

  const late = open({}, { after: 'a0-0' })
  await until(() => late?.events().includes('away') === true)
  database.meanwhile = () => {}
  database.isAway = false
  await until(() => late?.events().includes('a0-1') === true)

  t.strictSame(late?.events(), ['away', 'back', 'a0-1'])
  t.strictSame(told?.events(), ['away', 'back'])
})

t.test('refuses a stream too many, and takes another one when one has gone', async t => {
  const { open, streams } = createRig(t, { maxStreams: 2 })
  const [first] = [open(), open()]

  t.equal(open(), null)
  first?.body.destroy()
  await until(() => streams.count() === 1)

  t.ok(open())
})

t.test('beats every 15 seconds, and ends a stream after its time', async t => {
  const { open, looked, clock, streams } = createRig(t)
  const short = open({}, { lifetimeMs: 20_000 })
  const long = open()
  await looked()
  t.notMatch(long?.text, /: \n\n/)

  clock.nowMs = 15_000
  await looked()
  clock.nowMs = 20_000
  await looked()
  await until(() => short?.isOver === true)

  t.equal(long?.text.match(/^: $/gm)?.length, 1)
  t.equal(long?.isOver, false)
  t.equal(streams.count(), 1)
})

t.test('ends all of them when it is closed, and takes no more', async t => {
  const { open, looked, streams } = createRig(t)
  const all = [open(), open()]
  await looked()

  streams.close()
  await until(() => all.every(one => one?.isOver))

  t.equal(open(), null)
})
