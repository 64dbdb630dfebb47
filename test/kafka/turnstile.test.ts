import t from 'tap'
import { createTurnstile } from '../../kafka/turnstile.ts'

t.test('lets in at once while there is room', async t => {
  const turnstile = createTurnstile(() => true)

  t.equal(await turnstile.enter(async leftMs => leftMs, 500), 500)
})

t.test('lets those who wait in one after the other, in their order, each when there is room', async t => {
  let room = 0
  const entered: string[] = []
  const turnstile = createTurnstile(() => room > 0)
  const enter = (name: string) =>
    turnstile.enter(async () => {
      room -= 1
      entered.push(name)
    }, 5_000)

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

  const leftMs = await turnstile.enter(async left => left, 40)

  t.ok(leftMs <= 5 && leftMs >= 1, `${leftMs} ms left`)
  t.ok(performance.now() - startedMs >= 35)
  turnstile.turn()
})
