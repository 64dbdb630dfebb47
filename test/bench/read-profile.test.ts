import t from 'tap'
import { summariseProfile } from '../../bench/profile/read-profile.ts'

const ROOT = '/project/dist'
const NODES = [
  node(1, '(root)', '', [2, 3, 4, 5, 9]),
  node(2, '(idle)', ''),
  node(3, '(garbage collector)', ''),
  node(4, 'settle', `file://${ROOT}/runner/settle.js`, [6, 7]),
  node(5, 'loadFile', 'node:internal/modules/cjs/loader', [8]),
  node(6, 'parse', 'file:///project/node_modules/@scope/name/lib/parse.js'),
  node(7, 'write', 'node:net'),
  node(8, '', '/project/node_modules/kafkajs/index.js'),
  node(9, 'settle', `file://${ROOT}/runner/settle.js`)
]

t.test('sums self time up by function and by what it belongs to, without waiting', async t => {
  const samples = [1, 2, 4, 3, 6, 7, 8, 9, 2]
  // The time of a sample stands at the next one.
  const timeDeltas = [0, 1, 500_000, 3_000, 40_000, 5_000, 6_000, 7_000, 1_000]

  const { busyMs, functions, parts } = summariseProfile({ nodes: NODES, samples, timeDeltas }, ROOT)

  t.equal(busyMs, 62)
  t.strictSame(
    parts.map(({ name, selfMs }) => [name, selfMs]),
    [
      ['GC', 40],
      ['loading of modules', 7],
      ['node', 6],
      ['dependency @scope/name', 5],
      ['room runner', 4]
    ]
  )
  t.match(functions.at(-1), { name: 'settle runner/settle.js:5', part: 'room runner', selfMs: 4 })
  t.match(functions[1], { name: '(anonymous) kafkajs/index.js:5', part: 'loading of modules' })
})

function node(id: number, functionName: string, url: string, children: readonly number[] = []) {
  return { id, callFrame: { functionName, url, lineNumber: 4 }, children }
}
