import t from 'tap'
import { timeHandle } from '../../runner/time-handle.ts'
import { Type } from '../../sdk/index.ts'
import type { LoadedFunction } from '../../sdk/types.ts'
import { defineTestFunction } from './_support/records.ts'

type Handle = NonNullable<LoadedFunction['handle']>

function time(handle: unknown) {
  const seconds: number[] = []
  const definition = { ...defineTestFunction({ event: Type.Object({}) }), handle: handle as Handle } as LoadedFunction
  const timed = timeHandle(definition, took => void seconds.push(took))
  return { seconds, handle: timed.handle as (...parameters: unknown[]) => unknown }
}

t.test('gives and throws what the handler does, and tells how long it took', async t => {
  const given = time((input: unknown) => ({ input }))
  t.strictSame(given.handle(7), { input: 7 })
  t.equal(given.seconds.length, 1)

  const thrown = time(() => {
    throw new Error('no')
  })
  t.throws(() => thrown.handle(7), { message: 'no' })
  t.equal(thrown.seconds.length, 1)
})

t.test('measures a promise to its end, and leaves it as it is', async t => {
  let end: (value: string) => void = () => undefined
  const promise = new Promise<string>(resolve => {
    end = resolve
  })
  const { handle, seconds } = time(() => promise)

  t.equal(handle(7), promise)
  t.equal(seconds.length, 0)
  end('done')
  await promise
  t.equal(seconds.length, 1)

  const failing = time(() => Promise.reject(new Error('no')))
  await t.rejects(failing.handle(7) as Promise<unknown>, { message: 'no' })
  t.equal(failing.seconds.length, 1)
})

t.test('does not begin what begins when somebody asks for its result', async t => {
  let begun = 0
  const query = {
    // biome-ignore lint/suspicious/noThenProperty: a query of a database driver is one
    then(resolve: (value: number) => void) {
      begun += 1
      resolve(begun)
    }
  }
  const { handle } = time(() => query)

  t.equal(await handle(7), 1)
})

t.test('takes as many parameters as the handler: who wants no context gets none made', async t => {
  t.equal(time(() => 1).handle.length, 0)
  t.equal(time((input: unknown, context: unknown) => [input, context]).handle.length, 2)
  const none = defineTestFunction({ event: Type.Object({}) })
  t.equal(timeHandle(none, () => undefined).handle, none.handle)
})
