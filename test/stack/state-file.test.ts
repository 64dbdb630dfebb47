import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createStateFile } from '../../stack/state-file.ts'

const state = {
  gatewayUrl: 'http://127.0.0.1:3000',
  kafkaBrokers: '127.0.0.1:9092',
  databaseUrl: 'postgres://smg:secret@127.0.0.1:5432/smg',
  runnerUrls: ['http://127.0.0.1:3001'],
  pids: { gateway: 1, runners: [2], kafka: 3, postgres: 4 }
}

t.test('is written whole, readable by its owner alone, over an older one', t => {
  const folder = t.testdir()
  const file = createStateFile(join(folder, 'stack.json'))

  file.write(state)
  file.write({ ...state, pids: { gateway: 5, runners: [2] } })

  t.strictSame(JSON.parse(readFileSync(join(folder, 'stack.json'), 'utf8')).pids, { gateway: 5, runners: [2] })
  t.equal(statSync(join(folder, 'stack.json')).mode & 0o777, 0o600)
  t.strictSame(readdirSync(folder), ['stack.json'], 'no draft is left')
  t.end()
})

t.test('is gone after a stop, and at the next start when a kill left it', t => {
  const path = join(t.testdir({ 'stack.json': '{}' }), 'stack.json')

  const file = createStateFile(path)
  t.notOk(existsSync(path))
  file.write(state)
  file.remove()
  file.remove()

  t.notOk(existsSync(path))
  t.end()
})
