import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { createEventStream, type EventStream, MAX_RATE, toEvent } from '../../gateway/event-stream.ts'

const message = (n: number, size = 0) => toEvent('message', JSON.stringify({ n, x: 'x'.repeat(size) }), `id${n}`)
const messages = (from: number, to: number, size = 0) =>
  Array.from({ length: to - from }, (_, index) => message(from + index, size))

/** What a client has read so far: names with what they said. */
async function read({ body }: EventStream): Promise<[name: string, data: { n?: number; count?: number }][]> {
  await nextTurn()
  let text = ''
  for (let part = body.read(); part !== null; part = body.read()) {
    text += part
    await nextTurn()
  }
  return [...text.matchAll(/event: (\w+)\ndata: (.*)\n\n/g)].map(([, name = '', data = '']) => [name, JSON.parse(data)])
}

t.test('writes an event as the standard has it, on one line whatever its JSON is', async t => {
  t.equal(toEvent('message', '{"a": 1}', 'x'), 'id: x\nevent: message\ndata: {"a": 1}\n\n')
  t.equal(toEvent('message', '{\r\n  "a":\n1}'), 'event: message\ndata: {    "a": 1}\n\n')
})

t.test('shows the newest of what comes faster than its rate, and counts the rest', async t => {
  let nowMs = 0
  const stream = createEventStream({ steadyMs: () => nowMs })

  stream.show(messages(0, 70), 1_000)
  const first = await read(stream)
  stream.show(messages(70, 80), 10)
  nowMs += 200
  stream.show(messages(80, 100), 20)
  const second = await read(stream)

  t.equal(first.length, 1 + MAX_RATE)
  t.strictSame(first[0], ['skipped', { count: 950 }])
  t.match(
    [first[1], first.at(-1)],
    [
      ['message', { n: 20 }],
      ['message', { n: 69 }]
    ]
  )
  t.strictSame(second[0], ['skipped', { count: 10 }])
  t.strictSame(second[1], ['skipped', { count: 10 }])
  t.match(
    second.slice(2).map(([, { n }]) => n),
    [90, 91, 92, 93, 94, 95, 96, 97, 98, 99]
  )
})

t.test('holds nothing for a client that does not read, and tells it what it missed', async t => {
  let nowMs = 0
  const stream = createEventStream({ steadyMs: () => nowMs })

  for (let round = 0; round < 100; round += 1) {
    stream.show(messages(round * 10, round * 10 + 10, 10_000), 10)
    nowMs += 1_000
  }

  t.ok(stream.body.readableLength < 40_000, `${stream.body.readableLength} bytes are held`)
  const early = await read(stream)
  stream.show([], 0)
  const late = await read(stream)
  const shown = early.filter(([name]) => name === 'message').length
  t.ok(shown > 0 && shown < 10, `${shown} fitted`)
  t.strictSame(late, [['skipped', { count: 1_000 - shown }]])
})

t.test('says that something is missing when nobody knows how much', async t => {
  const stream = createEventStream({ steadyMs: () => 0 })

  stream.show([message(1)], null)
  stream.show([message(2)], 3)

  t.match(await read(stream), [
    ['skipped', { count: null }],
    ['message', { n: 1 }],
    ['skipped', { count: 2 }],
    ['message', { n: 2 }]
  ])
})

t.test('says nothing of what is not missing', async t => {
  const stream = createEventStream({ steadyMs: () => 0 })

  stream.show([], 0)
  stream.beat()
  stream.tell('away')
  stream.tell('back')

  t.strictSame(await read(stream), [
    ['away', {}],
    ['back', {}]
  ])
})

t.test('takes nothing more when it is over', async t => {
  const stream = createEventStream({ steadyMs: () => 0 })
  stream.body.on('error', error => t.fail(error.message))

  stream.end()
  stream.end()
  stream.show([message(1)], 1)
  stream.beat()

  t.strictSame(await read(stream), [])
  t.ok(stream.body.readableEnded)
})

t.test('lets go of a client that does not read, a second after it is over', async t => {
  const stream = createEventStream({ steadyMs: () => 0 })
  stream.show(messages(0, 10, 10_000), 10)
  const startedMs = performance.now()

  stream.end()
  await once(stream.body, 'close', { signal: AbortSignal.timeout(5_000) })

  t.ok(performance.now() - startedMs > 900, 'it had time to read')
})
