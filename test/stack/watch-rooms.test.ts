import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Effect } from '../../stack/rooms.ts'
import { watchRooms } from '../../stack/watch-rooms.ts'

/** Watches a checkout, and gives what it reports: the files of each call. */
function watchCheckout(t: Test) {
  const rooms = {
    functions: { 'a.ts': '' },
    sdk: {},
    kafka: {},
    db: { tables: {} },
    gateway: { routes: { 'r.ts': '' } }
  }
  const root = t.testdir({ ...rooms, runner: {}, more: {} })
  const calls: { effect: Effect; files: readonly string[] }[] = []
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const onChange = async (effect: Effect, files: readonly string[]) => {
    calls.push({ effect, files })
  }
  const end = watchRooms({ root, functionsFolder: join(root, 'more'), log, onChange })
  t.teardown(end)

  return {
    calls,
    at: (...path: string[]) => join(root, ...path),
    async next(count: number) {
      for (const deadline = Date.now() + 5_000; calls.length < count && Date.now() < deadline; ) await sleep(10)
      return calls[count - 1]
    }
  }
}

/** As many editors save: another file takes the name. */
function replace(file: string) {
  writeFileSync(`${file}.tmp`, String(Math.random()))
  renameSync(`${file}.tmp`, file)
}

t.test('reports a file that is replaced, each time', async t => {
  const { at, next } = watchCheckout(t)

  for (const time of [1, 2, 3]) {
    replace(at('functions', 'a.ts'))
    t.match(await next(time), { files: ['functions/a.ts'], effect: { gateway: true, runners: true } }, `time ${time}`)
  }
})

t.test('reports the changes of a moment together', async t => {
  const { at, calls, next } = watchCheckout(t)

  writeFileSync(at('gateway', 'routes', 'r.ts'), 'x')
  writeFileSync(at('db', 'tables', 'b.ts'), 'x')
  await next(1)
  await sleep(400)

  t.equal(calls.length, 1)
  t.strictSame([...(calls[0]?.files ?? [])].sort(), ['db/tables/b.ts', 'gateway/routes/r.ts'])
  t.strictSame(calls[0]?.effect, { migrate: true, gateway: true, runners: true })
})

t.test('reports what is in a folder that came later, and what is removed', async t => {
  const { at, next } = watchCheckout(t)

  mkdirSync(at('gateway', 'plugins', 'deep'), { recursive: true })
  writeFileSync(at('gateway', 'plugins', 'deep', 'p.ts'), 'x')
  t.match(await next(1), { effect: { gateway: true, runners: false } })
  writeFileSync(at('gateway', 'plugins', 'deep', 'p.ts'), 'y')
  t.match(await next(2), { files: ['gateway/plugins/deep/p.ts'] })
  rmSync(at('functions', 'a.ts'))
  t.match(await next(3), { files: ['functions/a.ts'] })
})

t.test('reports a folder of functions elsewhere, and nothing of an editor’s own files', async t => {
  const { at, calls, next } = watchCheckout(t)

  writeFileSync(at('functions', '.a.ts.swp'), 'x')
  writeFileSync(at('functions', 'a.ts~'), 'x')
  await sleep(400)
  t.strictSame(calls, [])

  writeFileSync(at('more', 'm.ts'), 'x')
  t.match(await next(1), { files: ['more/m.ts'], effect: { gateway: true, runners: true } })
})
