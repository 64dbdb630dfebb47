import { integer, pgTable, uuid } from 'drizzle-orm/pg-core'
import t from 'tap'
import { createRowWriter } from '../../db/queries/row-writer.ts'
import { createAssignedPartition } from '../../runner/assigned-partition.ts'
import { createBrake } from '../../runner/brake.ts'
import { createGate } from '../../runner/gate.ts'
import { createKeyHints, type KeyHints } from '../../runner/parking.ts'
import { createSettleAhead } from '../../runner/settle-ahead.ts'
import { NO_TRIAL, type Trial } from '../../runner/trial.ts'
import { NonRetriableError, Type } from '../../sdk/index.ts'
import { createRecordSettler } from '../../sdk/settle-record.ts'
import type { Input } from '../../sdk/types.ts'
import type { Teardown } from '../_support/database.ts'
import { silent, until } from '../_support/kafka.ts'
import { batch, defineTestFunction, fetched, noPublish, range } from './_support/records.ts'

const orders = pgTable('orders', { id: uuid().primaryKey(), n: integer() })
const rowWriter = createRowWriter(orders)
const ALL = { records: 100_000, bytes: Number.POSITIVE_INFINITY }

const REFUSED = { kind: 'dead', stage: 'persist', disposition: 'non_retriable', attempts: 1, error: null } as const

type Handled = Awaited<ReturnType<typeof createParked>>
type Handle = (input: Input, context: { attempt: number }) => unknown

/** A partition that is handled by `handle`, with every call of it. */
function createHandled(
  t: Teardown,
  handle: Handle,
  { gate = createGate(64), hints = createKeyHints('partition'), trial, calls = [], ...options }: Options = {}
) {
  const definition = defineTestFunction({
    event: Type.Object({ n: Type.Number(), key: Type.Optional(Type.String()) }),
    table: orders,
    backoffMs: { min: 1, max: 1 },
    handle: (input: Input, context: { attempt: number }) => {
      calls.push(`${input.offset}#${context.attempt}`)
      return handle(input, context)
    },
    ...options
  })
  const partition = createAssignedPartition({ partition: 0, nextOffset: 0n, topicId: null }, trial)
  const shutdown = new AbortController()
  const settle = createRecordSettler(definition, {
    log: silent,
    shutdown: shutdown.signal,
    toPublished: noPublish
  })
  let failed = 0
  const ahead = createSettleAhead(partition, {
    definition,
    settle,
    rowWriter,
    hints,
    brake: createBrake('free'),
    gate,
    shutdown: shutdown.signal,
    onReady: () => undefined,
    onAttemptFailed: () => {
      failed += 1
    },
    log: silent
  })
  t.teardown(() => partition.revoke())

  return {
    partition,
    ahead,
    calls,
    gate,
    shutdown,
    failed: () => failed,
    push(...records: ReturnType<typeof fetched>[]) {
      partition.queue.push(batch(Number(records[0]?.offset), records))
      partition.changed.wake()
    },
    ready: () => ahead.ready(ALL).map(({ settled, next }) => settled?.record.offset ?? `end ${next}`),
    steps: () => ahead.ready(ALL)
  }
}

interface Options {
  gate?: ReturnType<typeof createGate>
  hints?: KeyHints
  trial?: Trial
  /** What is called, in order; `offset#attempt` for an attempt. */
  calls?: string[]
  concurrency?: number
  maxAttempts?: number
  timeoutMs?: number
  backoffMs?: { min: number; max: number }
}

/** A promise that the test settles. */
function createDoor() {
  const doors = new Map<string, { open: (value?: unknown) => void; fail: (error: unknown) => void }>()
  return {
    wait: (name: string) => new Promise<unknown>((open, fail) => doors.set(name, { open, fail })),
    open: (name: string) => doors.get(name)?.open(),
    fail: (name: string, error: unknown = new Error('no')) => doors.get(name)?.fail(error)
  }
}

/** A trial of records that are handled alone; `onBegin` gives how often a process ended at one. */
function createAlone(calls: string[], onBegin: (offset: string) => number | Promise<number> = () => 0): Trial {
  let running: string | null = null
  return {
    ...NO_TRIAL,
    isAlone: () => true,
    isDue: offset => offset !== running,
    async begin(_partition, offset) {
      calls.push(`begin ${offset}`)
      running = offset
      return onBegin(offset)
    },
    rest() {
      calls.push(`rest ${running}`)
      running = null
    }
  }
}

function keyed(offset: number, key: string) {
  return fetched(offset, { n: offset }, { key: Buffer.from(key) })
}

async function turns(count = 5) {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate)
}

t.test('handles records in order and keeps them until they are written', async t => {
  const { push, ready, steps, ahead } = createHandled(t, ({ event }) => ({ n: (event as { n: number }).n }))

  push(...range(0, 3))
  await until(() => ready().length === 3)

  t.strictSame(ready(), ['0', '1', '2'])
  t.strictSame(
    steps().map(({ next }) => next),
    [1n, 2n, 3n]
  )
  t.ok(steps()[1]?.settled?.entry?.rows[0]?.values.includes('1'))
  t.strictSame(
    ahead.ready({ records: 2, bytes: 1e9 }).map(({ next }) => next),
    [1n, 2n]
  )
  t.equal(ahead.ready({ records: 9, bytes: 1 }).length, 1, 'one at least, however large')
  ahead.drop(2)
  t.strictSame(ready(), ['2'])
})

t.test('steps over a batch without records', async t => {
  const { partition, ready } = createHandled(t, () => null)

  partition.queue.push(batch(0, [], { end: 7 }))
  partition.changed.wake()
  await until(() => ready().length === 1)

  t.strictSame(ready(), ['end 7'])
})

t.test('handles one record after the other when the function is asynchronous', async t => {
  const door = createDoor()
  const { push, ready, calls } = createHandled(t, ({ offset }) => door.wait(offset))

  push(...range(0, 2))
  await until(() => calls.length === 1)
  await turns()
  t.strictSame(calls, ['0#1'], 'the second waits for the first')
  door.open('0')
  await until(() => calls.length === 2)
  door.open('1')
  await until(() => ready().length === 2)
  t.strictSame(ready(), ['0', '1'])
})

for (const kind of ['synchronous', 'asynchronous']) {
  t.test(`begins no later record while one waits for its next attempt, when the function is ${kind}`, async t => {
    const fail = ({ offset }: Input, { attempt }: { attempt: number }) => {
      if (offset === '1' && attempt < 3) throw new Error('not yet')
    }
    const handle: Handle = kind === 'synchronous' ? fail : async (input, context) => fail(input, context)
    const { push, ready, calls, failed } = createHandled(t, handle)

    push(...range(0, 4))
    await until(() => ready().length === 4)

    t.strictSame(calls, ['0#1', '1#1', '1#2', '1#3', '2#1', '3#1'])
    t.equal(failed(), 2)
  })
}

t.test('gives a record up when its attempts are used up, and goes on', async t => {
  const { push, steps } = createHandled(
    t,
    ({ offset }) => {
      if (offset === '0') throw new Error('never')
      if (offset === '1') throw new NonRetriableError('at once')
      if (offset === '3') return [[1]]
    },
    { maxAttempts: 2 }
  )

  push(...range(0, 4), fetched(4, '{'), fetched(5, null), fetched(6, { n: 'x' }))
  await until(() => steps().length === 7)

  t.match(
    steps().map(({ settled }) => settled?.outcome),
    [
      { kind: 'dead', stage: 'handle', disposition: 'attempts_exhausted', attempts: 2 },
      { kind: 'dead', stage: 'handle', disposition: 'non_retriable', attempts: 1 },
      { kind: 'handled' },
      { kind: 'dead', stage: 'persist', error: { code: 'SMG_SDK_BAD_ROW' } },
      { kind: 'dead', stage: 'decode', attempts: 0 },
      { kind: 'dead', stage: 'decode', attempts: 0 },
      { kind: 'dead', stage: 'validate', attempts: 0 }
    ]
  )
})

t.test('rule 18a: runs other keys ahead, each key in order, and gives a prefix', async t => {
  const door = createDoor()
  const { push, ready, calls } = createHandled(t, ({ offset }) => door.wait(offset), { concurrency: 3 })

  push(keyed(0, 'a'), keyed(1, 'b'), keyed(2, 'a'), keyed(3, 'c'))
  await until(() => calls.length >= 2)
  await turns()
  t.strictSame(calls, ['0#1', '1#1'], 'the second of key a waits for the first')
  door.open('1')
  await turns()
  t.strictSame(ready(), [], 'nothing is written before what lies ahead of it')

  door.open('0')
  await until(() => calls.length === 4)
  t.strictSame(ready(), ['0', '1'])
  door.open('3')
  await turns()
  t.strictSame(ready(), ['0', '1'])
  door.open('2')
  await until(() => ready().length === 4)
  t.strictSame(ready(), ['0', '1', '2', '3'])
})

t.test('rule 18a: keeps a key in order while a record of it waits for its next attempt', async t => {
  const handle: Handle = async ({ offset }, { attempt }) => {
    await turns(1)
    if (offset === '0' && attempt < 3) throw new Error('not yet')
  }
  const { push, ready, calls } = createHandled(t, handle, { concurrency: 4 })

  push(keyed(0, 'a'), keyed(1, 'a'), keyed(2, 'a'))
  await until(() => ready().length === 3)

  t.strictSame(calls, ['0#1', '0#2', '0#3', '1#1', '2#1'])
})

t.test('rule 18a: never runs more at once than the function allows', async t => {
  let running = 0
  let most = 0
  const { push, ready } = createHandled(
    t,
    async () => {
      running += 1
      most = Math.max(most, running)
      await turns(2)
      running -= 1
    },
    { concurrency: 3 }
  )

  push(...Array.from({ length: 30 }, (_, offset) => keyed(offset, `k${offset}`)))
  await until(() => ready().length === 30)

  t.equal(most, 3)
})

t.test('handles ahead, but not without bounds', async t => {
  const { push, ready, ahead, calls } = createHandled(t, () => null)

  push(...range(0, 3_000))
  await until(() => ready().length >= 1_000)
  await turns(50)
  t.equal(calls.length, 1_000)
  ahead.drop(500)
  await until(() => ready().length === 1_000)
  t.equal(calls.length, 1_500)

  const large = createHandled(t, () => null)
  const value = JSON.stringify({ n: 1, key: 'x'.repeat(1_000_000) })
  large.push(...Array.from({ length: 20 }, (_, offset) => fetched(offset, value)))
  await until(() => large.ready().length > 0)
  await turns(50)
  t.ok(large.calls.length <= 9, `${large.calls.length} of 1 MB each`)
  for (; large.calls.length < 20; await turns()) large.ahead.drop(large.ready().length)
  t.pass('and goes on when there is room')
})

t.test('lets other partitions and timers have their turn', async t => {
  const { push, calls } = createHandled(t, () => null)
  let turn = 0
  push(...range(0, 1_000))

  for (; calls.length < 1_000; turn += 1) await new Promise(setImmediate)

  t.ok(turn >= 10, `${turn} turns of the event loop`)
})

t.test('drops what an attempt gives that began before a reset', async t => {
  const door = createDoor()
  const { push, ready, calls, partition, ahead } = createHandled(t, ({ offset }) => door.wait(offset))
  push(...range(5, 7))
  await until(() => calls.length === 1)

  partition.moveTo({ partition: 0, nextOffset: 3n, topicId: null })
  ahead.reset()
  push(...range(3, 4))
  await until(() => calls.length === 2)
  door.open('5')
  await turns()
  t.strictSame(ready(), [])
  door.open('3')
  await until(() => ready().length === 1)

  t.strictSame(ready(), ['3'])
  t.strictSame(calls, ['5#1', '3#1'], 'what was queued before is gone as well')
})

t.test('begins nothing at a reset that was taken from the queue before', async t => {
  const door = createDoor()
  const { push, ready, calls, partition, ahead } = createHandled(t, ({ offset }) => door.wait(offset), {
    concurrency: 3
  })
  push(keyed(5, 'a'), keyed(6, 'a'))
  await until(() => calls.length === 1)
  await turns()

  partition.moveTo({ partition: 0, nextOffset: 3n, topicId: null })
  ahead.reset()
  push(keyed(3, 'a'))
  await until(() => calls.length === 2)
  door.open('5')
  door.open('3')
  await until(() => ready().length === 1)
  await turns()

  t.strictSame(calls, ['5#1', '3#1'], 'nor waits for what was running then')
  t.strictSame(ready(), ['3'])
})

t.test('an attempt that fails after a reset holds nothing back', async t => {
  const door = createDoor()
  const { push, ready, calls, partition, ahead, failed } = createHandled(
    t,
    ({ offset }) => (offset === '5' ? door.wait(offset) : null),
    { backoffMs: { min: 60_000, max: 60_000 } }
  )
  push(...range(5, 6))
  await until(() => calls.length === 1)

  partition.moveTo({ partition: 0, nextOffset: 0n, topicId: null })
  ahead.reset()
  door.fail('5')
  await turns()
  push(...range(0, 2))
  await until(() => ready().length === 2)

  t.equal(failed(), 0)
})

t.test('forgets a wait for the next attempt at a reset', async t => {
  const { push, ready, calls, partition, ahead } = createHandled(
    t,
    async ({ offset }) => {
      if (offset === '5') throw new Error('no')
    },
    { backoffMs: { min: 300, max: 300 } }
  )
  push(...range(5, 6))
  await until(() => calls.length === 1)
  await turns()

  partition.moveTo({ partition: 0, nextOffset: 0n, topicId: null })
  ahead.reset()
  push(...range(0, 2))
  await until(() => ready().length === 2)
  await new Promise(resolve => setTimeout(resolve, 400))

  t.strictSame(calls, ['5#1', '0#1', '1#1'])
})

t.test('rule 14: a failed attempt of one partition holds back no other', async t => {
  const gate = createGate(1)
  const held = createHandled(
    t,
    async () => {
      throw new Error('no')
    },
    { gate, backoffMs: { min: 60_000, max: 60_000 } }
  )
  const other = createHandled(t, async () => null, { gate })

  held.push(...range(0, 1))
  await until(() => held.failed() === 1)
  other.push(...range(0, 10))
  await until(() => other.ready().length === 10)

  t.strictSame(held.ready(), [])
})

t.test('begins nothing while the gate of the process is full', async t => {
  const gate = createGate(1)
  const { push, calls } = createHandled(t, async () => null, { gate })

  gate.enter()
  push(...range(0, 1))
  await turns()
  t.strictSame(calls, [])
  gate.leave()
  await until(() => calls.length === 1)
  await until(() => !gate.isFull())
  t.pass('and leaves it')
})

t.test('begins nothing after it was closed, and ends what runs', async t => {
  const door = createDoor()
  const { push, ready, calls, ahead } = createHandled(t, ({ offset }) => door.wait(offset))
  push(...range(0, 3))
  await until(() => calls.length === 1)

  ahead.close()
  t.equal(ahead.isBusy(), true)
  door.open('0')
  await until(() => ready().length === 1)
  await ahead.ended
  await turns()

  t.equal(ahead.isBusy(), false)
  t.strictSame(calls, ['0#1'])
})

t.test('makes no further attempt after it was closed', async t => {
  const { push, calls, ahead, failed } = createHandled(
    t,
    () => {
      throw new Error('no')
    },
    { backoffMs: { min: 20, max: 20 } }
  )
  push(...range(0, 1))
  await until(() => failed() === 1)

  ahead.close()
  await new Promise(resolve => setTimeout(resolve, 50))

  t.strictSame(calls, ['0#1'])
})

t.test('ends when another member owns the partition, also while a key waits', { timeout: 5_000 }, async t => {
  const { push, calls, ahead, partition, failed } = createHandled(
    t,
    async () => {
      throw new Error('no')
    },
    { concurrency: 4, backoffMs: { min: 60_000, max: 60_000 } }
  )
  push(keyed(0, 'a'), keyed(1, 'a'))
  await until(() => failed() === 1)
  await turns()

  partition.revoke()
  await ahead.ended

  t.strictSame(calls, ['0#1'])
})

t.test('settles nothing at shutdown', async t => {
  const door = createDoor()
  const { push, ready, calls, shutdown } = createHandled(t, ({ offset }) => door.wait(offset))
  push(...range(0, 1))
  await until(() => calls.length === 1)

  shutdown.abort(new Error('stopping'))
  door.fail('0')
  await turns()

  t.strictSame(ready(), [], 'whoever comes next handles it again')
})

const thrown: { when: string; value: () => unknown }[] = [
  { when: 'undefined', value: () => undefined },
  { when: 'a frozen object', value: () => Object.freeze({}) },
  {
    when: 'an error whose members throw',
    value: () =>
      new Proxy(new Error('x'), {
        get() {
          throw new Error('no')
        }
      })
  },
  {
    when: 'an object that is its own member',
    value: () => {
      const round: Record<string, unknown> = {}
      round.round = round
      return round
    }
  }
]
for (const { when, value } of thrown) {
  for (const kind of ['synchronous', 'asynchronous']) {
    t.test(`settles a record whose ${kind} function throws ${when}`, async t => {
      const fail = () => {
        throw value()
      }
      const { push, steps } = createHandled(t, kind === 'synchronous' ? fail : async () => fail(), { maxAttempts: 2 })

      push(...range(0, 2))
      await until(() => steps().length === 2)

      t.match(steps()[0]?.settled?.outcome, { kind: 'dead', attempts: 2 })
    })
  }
}

t.test('rule 18: begins a suspect anew that was parked for nothing, before it is handled', async t => {
  const calls: string[] = []
  const hints = createKeyHints('key')
  const key = Buffer.from('a')
  hints.add(key)
  const trial = createAlone(calls)
  const { push, ready, ahead } = createHandled(t, () => null, { hints, trial, calls })
  push(keyed(0, 'a'))
  await until(() => ready().length === 1)

  trial.rest()
  hints.forget(key)
  ahead.unpark(key)
  await until(() => calls.includes('0#1'))

  t.strictSame(calls, ['begin 0', 'rest 0', 'begin 0', '0#1'])
})

t.test('rule 18: gives a suspect up that was parked for nothing, when it ended the process too often', async t => {
  const calls: string[] = []
  const hints = createKeyHints('key')
  const key = Buffer.from('a')
  hints.add(key)
  const trial = createAlone(calls, () => (calls.length > 1 ? 3 : 0))
  const { push, steps, ahead } = createHandled(t, () => null, { hints, trial, calls, maxAttempts: 3 })
  push(keyed(0, 'a'))
  await until(() => steps().length === 1)

  trial.rest()
  hints.forget(key)
  ahead.unpark(key)
  await until(() => steps().length === 1)

  t.match(steps()[0]?.settled?.outcome, { kind: 'dead', disposition: 'crashed', attempts: 3 })
  t.strictSame(calls, ['begin 0', 'rest 0', 'begin 0'])
})

t.test('rule 18: begins no suspect anew that was dropped while it waited for its next attempt', async t => {
  const calls: string[] = []
  const { push, partition, ahead } = createHandled(
    t,
    async ({ offset }) => {
      if (offset === '5') throw new Error('no')
      return new Promise(() => undefined)
    },
    { trial: createAlone(calls), calls, backoffMs: { min: 100, max: 100 } }
  )
  push(...range(5, 6))
  await until(() => calls.includes('rest 5'))

  partition.moveTo({ partition: 0, nextOffset: 3n, topicId: null })
  ahead.reset()
  push(...range(3, 4))
  await until(() => calls.includes('3#1'))
  await new Promise(resolve => setTimeout(resolve, 200))

  t.strictSame(calls, ['begin 5', '5#1', 'rest 5', 'begin 3', '3#1'], 'the note is of what runs')
})

t.test('rule 18: a suspect that was dropped while it began leaves alone what began after it', async t => {
  const calls: string[] = []
  const door = createDoor()
  const trial = createAlone(calls, async offset => {
    if (calls.filter(call => call === 'begin 5').length > 1 && offset === '5') await door.wait(offset)
    return 0
  })
  const handle: Handle = async ({ offset }) => {
    if (offset === '5') throw new Error('no')
    return new Promise(() => undefined)
  }
  const { push, partition, ahead } = createHandled(t, handle, { trial, calls })
  push(...range(5, 6))
  await until(() => calls.filter(call => call === 'begin 5').length === 2)

  partition.moveTo({ partition: 0, nextOffset: 3n, topicId: null })
  ahead.reset()
  push(...range(3, 4))
  await until(() => calls.includes('3#1'))
  door.open('5')
  await turns()

  t.strictSame(calls, ['begin 5', '5#1', 'rest 5', 'begin 5', 'begin 3', '3#1'])
})

/** Key `a` is believed to be blocked, and records are parked for it. */
async function createParked(t: Teardown, count: number) {
  const hints = createKeyHints('key')
  const key = Buffer.from('a')
  hints.add(key)
  const handled = createHandled(t, () => null, { hints })
  handled.push(...Array.from({ length: count }, (_, offset) => keyed(offset, 'a')))
  await until(() => handled.ready().length === count)
  return { ...handled, key, hints }
}

t.test(
  'rule 22: parks a record behind a parked one of its key, though nothing is believed of the key by now',
  async t => {
    const { push, ready, steps, calls, hints, key, ahead } = await createParked(t, 1)

    hints.forget(key)
    push(keyed(1, 'a'), keyed(2, 'b'))
    await until(() => ready().length === 3)
    t.strictSame(calls, ['2#1'])
    t.match(steps()[1]?.settled?.outcome, { disposition: 'parked_behind_key' })
    ahead.unpark(key)
    await until(() => ready().length === 3)

    t.strictSame(calls, ['2#1', '0#1', '1#1'])
  }
)

for (const { when, forget } of [
  { when: 'is written', forget: ({ ahead }: Handled) => ahead.drop(1) },
  { when: 'was dropped', forget: ({ ahead }: Handled) => ahead.reset() },
  { when: 'was refused', forget: ({ ahead }: Handled) => ahead.refuse(REFUSED) }
]) {
  t.test(`rule 22: parks nothing behind a parked record that ${when}`, async t => {
    const handled = await createParked(t, 1)

    handled.hints.forget(handled.key)
    forget(handled)
    handled.push(keyed(1, 'a'))
    await until(() => handled.ready().at(-1) === '1')

    t.strictSame(handled.calls, ['1#1'])
  })
}

t.test('lets timers have their turn while it handles what was parked for nothing', async t => {
  const { calls, hints, key, ahead } = await createParked(t, 1_000)
  let turn = 0

  hints.forget(key)
  ahead.unpark(key)
  for (; calls.length < 1_000; turn += 1) await new Promise(setImmediate)

  t.ok(turn >= 10, `${turn} turns of the event loop`)
})
