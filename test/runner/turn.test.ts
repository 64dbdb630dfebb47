import t from 'tap'
import { createTurn, type Turn } from '../../runner/turn.ts'

const never = new AbortController().signal

/** Asks for the turn; `held` is set once it is had. */
function ask(turn: Turn, name: string, order: string[], { signal = never, onWanted = () => {} } = {}) {
  const asked = turn.take(signal, onWanted)
  void asked.then(held => order.push(held ? name : `${name} gave up`))
  return asked
}

async function ticks() {
  for (let tick = 0; tick < 5; tick += 1) await new Promise(setImmediate)
}

t.test('gives the turn to one at a time, in the order in which they asked', async t => {
  const turn = createTurn()
  const order: string[] = []
  const asked = ['a', 'b', 'c'].map(name => ask(turn, name, order))

  await ticks()
  t.strictSame(order, ['a'])
  const first = await asked[0]
  first?.end()
  first?.end()
  await ticks()
  t.strictSame(order, ['a', 'b'], 'who ends twice ends nobody else')
  ;(await asked[1])?.end()
  await ticks()

  t.strictSame(order, ['a', 'b', 'c'])
})

t.test('tells who has the turn that somebody waits for it', async t => {
  const turn = createTurn()
  const order: string[] = []
  let calls = 0
  const held = await ask(turn, 'a', order, { onWanted: () => (calls += 1) })
  t.equal(held?.isWanted(), false)

  void ask(turn, 'b', order)

  t.equal(calls, 1)
  t.equal(held?.isWanted(), true)
})

t.test('who gives up waiting holds nobody back', async t => {
  const turn = createTurn()
  const order: string[] = []
  const leaving = new AbortController()
  const held = await ask(turn, 'a', order)
  void ask(turn, 'b', order, { signal: leaving.signal })
  void ask(turn, 'c', order)

  leaving.abort()
  await ticks()
  t.strictSame(order, ['a', 'b gave up'])
  held?.end()
  await ticks()

  t.strictSame(order, ['a', 'b gave up', 'c'])
  t.equal(await turn.take(AbortSignal.abort()), null)
})

t.test('waits for what runs beside it, but not for ever', async t => {
  const turn = createTurn({ besideMs: 50 })
  const order: string[] = []
  const leave = turn.runBeside()
  const first = ask(turn, 'a', order)
  await ticks()
  t.strictSame(order, [])
  leave()
  await ticks()
  t.strictSame(order, ['a'])
  ;(await first)?.end()

  turn.runBeside()
  const held = await turn.take(never)

  t.ok(held, 'what takes too long is not waited for')
})

t.test('lets pass what is not urgent when nobody has the turn, several at once', async t => {
  const turn = createTurn()
  const order: string[] = []
  const held = await ask(turn, 'a', order)
  const passed = [turn.pass(never), turn.pass(never)]
  for (const pass of passed) void pass.then(() => order.push('passed'))

  await ticks()
  t.strictSame(order, ['a'])
  held?.end()
  const leaves = await Promise.all(passed)
  t.strictSame(order, ['a', 'passed', 'passed'])

  void ask(turn, 'b', order)
  leaves[0]?.()
  await ticks()
  t.strictSame(order, ['a', 'passed', 'passed'], 'runs beside it until it leaves')
  leaves[1]?.()
  await ticks()
  t.equal(order.at(-1), 'b')
})
