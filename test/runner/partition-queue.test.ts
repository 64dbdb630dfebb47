import t from 'tap'
import { createGate } from '../../runner/gate.ts'
import { createPartitionQueue, type PartitionQueue } from '../../runner/partition-queue.ts'
import { createPatience, pause } from '../../runner/patience.ts'
import { createWakeUp } from '../../runner/wake-up.ts'
import { batch, fetched, range } from './_support/records.ts'

function drain(queue: PartitionQueue) {
  const items: [offset: string | null, next: string][] = []
  for (let item = queue.shift(); item; item = queue.shift())
    items.push([item.record?.offset ?? null, String(item.next)])
  return items
}

t.test('gives records in order, each with the position behind it', async t => {
  const queue = createPartitionQueue()

  queue.push(batch(0, range(0, 2)))
  queue.push(batch(2, range(2, 4)))

  t.strictSame(drain(queue), [
    ['0', '1'],
    ['1', '2'],
    ['2', '3'],
    ['3', '4']
  ])
  t.equal(queue.shift(), undefined)
})

t.test('ends a batch behind its control records and its holes', async t => {
  const queue = createPartitionQueue()

  queue.push(batch(5, [fetched(7), fetched(10)], { end: 14 }))
  queue.push(batch(14, [], { end: 16 }))

  t.strictSame(
    drain(queue),
    [
      ['7', '8'],
      ['10', '14'],
      [null, '16']
    ],
    'a batch without records moves the position too'
  )
})

t.test('counts the bytes that wait, with key, value and headers', async t => {
  const queue = createPartitionQueue()
  const small = { key: Buffer.alloc(10), headers: [['name', Buffer.alloc(6)]] as const }

  queue.push(batch(0, [fetched(0, Buffer.alloc(80), small), fetched(1, null)]))
  t.equal(queue.bytes(), 400 + 10 + 80 + 4 + 6 + 400)
  t.equal(queue.shift()?.bytes, 500)
  t.equal(queue.bytes(), 400)
  queue.clear()

  t.equal(queue.bytes(), 0)
  t.equal(queue.shift(), undefined)
  queue.push(batch(9, range(9, 10)))
  t.strictSame(drain(queue), [['9', '10']], 'begins with the first of what comes after')
})

t.test('wakes a waiting loop, also when the call came before the wait', { timeout: 2_000 }, async t => {
  const early = createWakeUp()
  early.wake()
  early.wake()
  await early.wait()

  let isAwake = false
  const second = early.wait().then(() => {
    isAwake = true
  })
  await new Promise(setImmediate)
  t.equal(isAwake, false, 'two calls before a wait are one')
  early.wake()
  await second
  await early.wait(1)
  t.pass('a wait with a limit ends by itself')
})

t.test('holds back what a gate has no room for', async t => {
  const gate = createGate(2)
  gate.enter()
  await gate.room()
  gate.enter()
  t.equal(gate.isFull(), true)

  let hasRoom = false
  const waiting = gate.room().then(() => {
    hasRoom = true
  })
  await new Promise(setImmediate)
  t.equal(hasRoom, false)
  gate.leave()
  await waiting
  t.equal(gate.isFull(), false)
})

t.test('lets no more in than there is room for, and forgets nobody', { timeout: 2_000 }, async t => {
  const gate = createGate(1)
  let inside = 0
  let most = 0
  const pass = async () => {
    await gate.pass()
    inside += 1
    most = Math.max(most, inside)
    await new Promise(setImmediate)
    inside -= 1
    gate.leave()
  }

  await Promise.all([pass(), pass(), pass(), pass()])

  t.equal(most, 1)
  t.equal(gate.isFull(), false)
})

t.test('waits longer from failure to failure, and forgets after a success', async t => {
  const patience = createPatience()
  const over = AbortSignal.abort()
  t.equal(patience.failingMs(), 0)
  t.equal(patience.reset(), false)

  const beganMs = performance.now()
  await patience.wait(new AbortController().signal)
  await patience.wait(new AbortController().signal)
  const waitedMs = performance.now() - beganMs
  t.ok(waitedMs >= 37 + 75 - 2, `waited ${waitedMs} ms`)
  t.ok(patience.failingMs() > 0)
  for (let failures = 0; failures < 2_000; failures += 1) await patience.wait(over)

  t.equal(patience.reset(), true)
  t.equal(patience.failingMs(), 0)
  t.equal(patience.reset(), false)
})

t.test('a pause that is broken off is no error', { timeout: 2_000 }, async t => {
  const controller = new AbortController()
  const paused = pause(60_000, controller.signal)
  controller.abort()
  await paused
  await pause(60_000, controller.signal)
  t.pass()
})
