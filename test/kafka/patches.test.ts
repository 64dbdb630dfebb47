import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import type { EncodableRecord } from '../../kafka/encode-batch.ts'
import { encodeProduce, frameRequest } from '../../kafka/encode-produce.ts'
import {
  applyPatches,
  endStoppedFetches,
  firstOffset,
  groupMessagesPerPartition,
  scheduleCheckPendingRequests
} from '../../kafka/patches.ts'

type Group = typeof groupMessagesPerPartition
type Heartbeat = (this: object, options: { interval: number }) => Promise<void>
type Refresh = (this: object, topics: readonly string[]) => Promise<void>
type GetConnection = (this: { pool: unknown[] }, index: number) => Promise<unknown>
type Message = { partition: number; value: number }

const require = createRequire(import.meta.url)
const GROUPING = require.resolve('kafkajs/src/producer/groupMessagesPerPartition')
const BATCH = require.resolve('kafkajs/src/consumer/batch')
const GROUP = require.resolve('kafkajs/src/consumer/consumerGroup')
const POOL = require.resolve('kafkajs/src/cluster/brokerPool')
const QUEUE = require.resolve('kafkajs/src/network/requestQueue')

/** Requires KafkaJS as it came, whatever was patched before. */
function requireStock<T>(path: string): T {
  for (const name of Object.keys(require.cache)) if (name.includes('/kafkajs/')) delete require.cache[name]
  return require(path) as T
}

function grouping(messages: Message[], partitionMetadata: unknown[] = [{}]) {
  return {
    topic: 'a',
    partitionMetadata,
    messages,
    partitioner: ({ message }: { message: Message }) => message.partition
  }
}

/** What the timer of a queue needs, with `checks` counting how often it looked. */
function createQueue(pending: readonly unknown[], throttledUntil = -1) {
  const queue = {
    throttleCheckTimeoutId: null as NodeJS.Timeout | null,
    throttledUntil,
    pending,
    checks: 0,
    checkedAtMs: 0,
    checkPendingRequests() {
      queue.checks += 1
      queue.checkedAtMs = Date.now()
    }
  }
  return queue
}

t.test('groups messages as KafkaJS does', async t => {
  const stock = requireStock<Group>(GROUPING)
  const random = Array.from({ length: 1_000 }, (_, value) => ({ partition: Math.floor(Math.random() * 12), value }))
  const cases = [[], random.slice(0, 1), random]

  for (const messages of cases) {
    t.strictSame(
      groupMessagesPerPartition(grouping(messages)),
      stock(grouping(messages)),
      `${messages.length} messages`
    )
  }
  t.strictSame(groupMessagesPerPartition(grouping(random, [])), stock(grouping(random, [])), 'no metadata')
})

const timers = [
  { when: 'nothing waits', pending: [], throttledMs: -1, patchedMs: undefined },
  { when: 'requests wait', pending: [1], throttledMs: -1, patchedMs: 10 },
  { when: 'requests wait for a throttle', pending: [1], throttledMs: 60, patchedMs: 60 }
]

for (const { when, pending, throttledMs, patchedMs } of timers) {
  t.test(`looks after requests at the times of KafkaJS when ${when}`, async t => {
    const stock = requireStock<{ prototype: { scheduleCheckPendingRequests(): void } }>(QUEUE).prototype
    const until = throttledMs > 0 ? Date.now() + throttledMs : -1
    const startMs = Date.now()
    const ours = createQueue(pending, until)
    const theirs = createQueue(pending, until)

    scheduleCheckPendingRequests.call(ours)
    stock.scheduleCheckPendingRequests.call(theirs)
    t.teardown(() => clearTimeout(ours.throttleCheckTimeoutId ?? undefined))

    t.equal(ours.throttleCheckTimeoutId !== null, patchedMs !== undefined, 'a timer only where it is needed')
    if (patchedMs) {
      await new Promise(resolve => setTimeout(resolve, patchedMs + 30))
      t.equal(ours.checks, 1)
      t.ok(ours.checkedAtMs - startMs >= patchedMs - 2, 'not before its time')
      t.equal(ours.checks, theirs.checks)
    }
    clearTimeout(theirs.throttleCheckTimeoutId ?? undefined)
  })
}

t.test('patches what the producer of KafkaJS then uses', async t => {
  requireStock(QUEUE)

  t.equal(applyPatches(require), true)
  t.equal(require('kafkajs/src/producer/groupMessagesPerPartition'), groupMessagesPerPartition)
  t.equal(
    require('kafkajs/src/network/requestQueue').prototype.scheduleCheckPendingRequests,
    scheduleCheckPendingRequests
  )
  t.equal(require('kafkajs/src/consumer/runner').prototype.fetch.name, 'fetchOrEnd')
  t.equal(require('kafkajs/src/protocol/request'), frameRequest)
})

t.test('gives each partition of an answer its own outcome, and throws where all failed', async t => {
  const [written, refused] = [
    { partition: 0, errorCode: 0 },
    { partition: 1, errorCode: 10 }
  ]
  requireStock('kafkajs/package.json')
  applyPatches(require)

  for (const version of ['v3', 'v5', 'v7']) {
    const { parse } = require(`kafkajs/src/protocol/requests/produce/${version}/response`)
    const { topics } = await parse({ topics: [{ topicName: 'a', partitions: [{ ...written }, { ...refused }] }] })
    t.match(topics[0].partitions, [written, { ...refused, error: { type: 'MESSAGE_TOO_LARGE' } }], version)
    await t.rejects(parse({ topics: [{ topicName: 'a', partitions: [{ ...refused }] }] }), {
      name: 'KafkaJSProtocolError'
    })
    t.same(await parse({ topics: [{ topicName: 'a', partitions: [{ ...written }] }] }), {
      topics: [{ topicName: 'a', partitions: [written] }]
    })
  }
})

t.test('encodes by itself what is produced, but for a transaction', async t => {
  requireStock(QUEUE)
  applyPatches(require)
  const toRequest = require('kafkajs/src/protocol/requests/produce/v7/request')
  const messages: EncodableRecord[] = [{ value: Buffer.from('a'), headers: [['id', null]], timestamp: '1700000000000' }]
  const request = { acks: -1, timeout: 1, topicData: [{ topic: 'a', partitions: [{ partition: 0, messages }] }] }

  t.match(toRequest(request), { apiVersion: 7, apiName: 'Produce' })
  t.strictSame((await toRequest(request).encode()).buffer, (await encodeProduce(request, null)).buffer)
  await t.rejects(
    toRequest({ ...request, transactionalId: 'tx' }).encode(),
    TypeError,
    'KafkaJS knows no list of headers'
  )
})

const control = { offset: '7', isControlRecord: true, timestamp: '0' }
const record = { offset: '8', isControlRecord: false, timestamp: '0' }
const batches = [
  { when: 'holds markers only', messages: [control], first: '5' },
  { when: 'holds nothing', messages: [], first: '5' },
  { when: 'holds a record', messages: [record], first: '8' },
  { when: 'holds a record behind a marker', messages: [control, record], first: '7' }
]
for (const { when, messages, first } of batches) {
  t.test(`rule 1: a batch that ${when} begins at ${first} when it was fetched from 5`, async t => {
    const Batch = requireStock<new (...parts: unknown[]) => ThisParameterType<typeof firstOffset>>(BATCH)
    const batch = new Batch('a', '5', { partition: 0, highWatermark: '9', abortedTransactions: [], messages })

    t.equal(firstOffset.call(batch), first)
  })
}

// A broker joins while one fetcher is in its long poll, and the consumer is stopped before that poll ends.
const STOP_WHILE_BROKERS_CHANGE = `
  const logger = { namespace: () => logger, debug() {}, info() {}, warn() {}, error() {} }
  const Runner = require('kafkajs/src/consumer/runner')
  const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
  let nodeIds = [1, 2]
  let endPoll
  const runner = new Runner({
    logger,
    concurrency: 1,
    instrumentationEmitter: { emit() {} },
    onCrash: error => console.log('crashed', error),
    consumerGroup: {
      connect: async () => {}, joinAndSync: async () => {}, leave: async () => console.log('left'),
      heartbeat: async () => {}, getNodeIds: () => nodeIds,
      fetch: nodeId => nodeId === 2 ? new Promise(resolve => { endPoll = () => resolve([]) }) : sleep(1).then(() => [])
    }
  })
  await runner.start()
  nodeIds = [1, 2, 3]
  await sleep(50)
  const stopped = runner.stop()
  console.log('stopping')
  endPoll()
  await stopped
  setTimeout(() => console.log('a timer ran'))`

/** Runs code beside this process, which it may keep busy for ever, and gives what it said and what ended it. */
function runBeside(code: string): Promise<{ said: string; signal: NodeJS.Signals | null }> {
  const script = `
    const { endStoppedFetches } = await import(${JSON.stringify(join(import.meta.dirname, '../../kafka/patches.ts'))})
    const require = (await import('node:module')).createRequire(${JSON.stringify(import.meta.filename)})
    ${code}`
  const options = { timeout: 6_000, killSignal: 'SIGKILL' } as const
  return new Promise(resolve => {
    const args = ['--import', 'tsx', '--input-type=module', '-e', script]
    execFile(process.execPath, args, options, (error, stdout) =>
      resolve({ said: stdout, signal: (error?.signal as NodeJS.Signals | undefined) ?? null })
    )
  })
}

t.test('requests that find no connection wait for the same one', async t => {
  requireStock('kafkajs/src/network/connectionPool')
  const Pool = require('kafkajs/src/network/connectionPool') as { prototype: { getConnection: GetConnection } }
  const connects = (getConnection: GetConnection) => {
    const connection = {
      connects: 0,
      isConnected: () => false,
      async connect() {
        connection.connects += 1
      }
    }
    return Promise.all([1, 2, 3].map(() => getConnection.call({ pool: [null, connection] }, 1))).then(found => {
      t.ok(found.every(one => one === connection))
      return connection.connects
    })
  }
  t.equal(await connects(Pool.prototype.getConnection), 3, 'as it comes: two of the sockets are lost')
  applyPatches(require)

  t.equal(await connects(Pool.prototype.getConnection), 1)
})

t.test('leaves the turn of the event loop when a consumer stops while the brokers change', async t => {
  const patched = await runBeside(`endStoppedFetches(require)${STOP_WHILE_BROKERS_CHANGE}`)

  t.strictSame(patched, { said: 'stopping\nleft\na timer ran\n', signal: null })
})

t.test('KafkaJS as it comes never leaves it: the patch is still needed', async t => {
  const stock = await runBeside(STOP_WHILE_BROKERS_CHANGE)

  t.strictSame(stock, { said: 'stopping\n', signal: 'SIGKILL' })
})

for (const { when, aheadMs, isKept } of [
  { when: 'is right', aheadMs: 0, isKept: true },
  { when: 'was set back', aheadMs: 3_600_000, isKept: false }
]) {
  t.test(`goes on with heartbeats and metadata when the clock ${when}`, async t => {
    const { prototype: group } = requireStock<{ prototype: { heartbeat: Heartbeat } }>(GROUP)
    const { prototype: pool }: { prototype: { refreshMetadataIfNecessary: Refresh } } = require(POOL)
    group.heartbeat = async () => undefined
    applyPatches(require)
    const lastRequest = Date.now() - 1_000 + aheadMs
    const member = { lastRequest }
    const refreshMetadata = t.captureFn(async () => undefined)
    const metadataExpireAt = Date.now() + 20_000 + aheadMs
    const brokers = { metadata: { topicMetadata: [] }, metadataMaxAge: 30_000, metadataExpireAt, refreshMetadata }

    await group.heartbeat.call(member, { interval: 3_000 })
    await pool.refreshMetadataIfNecessary.call(brokers, [])

    t.equal(member.lastRequest, isKept ? lastRequest : 0)
    t.equal(refreshMetadata.calls.length, isKept ? 0 : 1)
  })
}

t.test('leaves another release of KafkaJS as it is', async t => {
  const other = Object.assign(() => ({ version: '2.2.5' }), require)

  t.equal(applyPatches(other as unknown as NodeJS.Require), false)
  t.equal(endStoppedFetches(other as unknown as NodeJS.Require), false)
})
