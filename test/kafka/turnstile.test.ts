import t from 'tap'
import { createTurnstile } from '../../kafka/turnstile.ts'

t.test('lets in at once while there is room', async t => {
  const turnstile = createTurnstile(() => true)

  t.equal(await turnstile.enter(async leftMs => leftMs, { timeoutMs: 500 }), 500)
})

t.test('lets those who wait in one after the other, in their order, each when there is room', async t => {
  let room = 0
  const entered: string[] = []
  const turnstile = createTurnstile(() => room > 0)
  const enter = (name: string) =>
    turnstile.enter(
      async () => {
        room -= 1
        entered.push(name)
      },
      { timeoutMs: 5_000 }
    )

  const all = ['a', 'b', 'c'].map(enter)
  t.strictSame(entered, [])
  room = 2
  const later = enter('d')
  t.strictSame(entered, [], 'who comes later does not overtake')
  turnstile.turn()
  t.strictSame(entered, ['a', 'b'])
  room = 2
  turnstile.turn()

  await Promise.all([...all, later])
  t.strictSame(entered, ['a', 'b', 'c', 'd'])
})

t.test('lets in without room when the time is over, and says that nothing is left of it', async t => {
  const turnstile = createTurnstile(() => false)
  const startedMs = performance.now()

  const leftMs = await turnstile.enter(async left => left, { timeoutMs: 40 })

  t.ok(leftMs <= 5 && leftMs >= 1, `${leftMs} ms left`)
  t.ok(performance.now() - startedMs >= 35)
  turnstile.turn()
})

t.test('lets those whose time is over in in their order, however close they are', async t => {
  for (let round = 0; round < 100; round += 1) {
    const turnstile = createTurnstile(() => false)
    const entered: string[] = []
    const enter = (name: string, timeoutMs: number) =>
      turnstile.enter(async () => void entered.push(name), { timeoutMs })

    const startedMs = performance.now()
    const first = enter('a', 3)
    while (performance.now() - startedMs < 0.05);
    await Promise.all([first, enter('b', 2.95)])

    t.strictSame(entered, ['a', 'b'])
  }
})

t.test('leaves one in the line that came before another and has more time', async t => {
  let room = false
  const entered: string[] = []
  const turnstile = createTurnstile(() => room)
  const enter = (name: string, timeoutMs: number) => turnstile.enter(async () => void entered.push(name), { timeoutMs })

  const patient = enter('a', 5_000)
  await enter('b', 10)

  t.strictSame(entered, ['b'])
  room = true
  turnstile.turn()
  await patient
})

t.test('calls one that is not wanted any more out of the line at once', async t => {
  const turnstile = createTurnstile(() => false)
  const stop = new AbortController()
  const waiting = turnstile.enter(async left => left, { timeoutMs: 5_000, signal: stop.signal })

  stop.abort()

  t.ok((await waiting) > 4_000)
  t.ok((await turnstile.enter(async left => left, { timeoutMs: 5_000, signal: stop.signal })) > 4_000)
})
