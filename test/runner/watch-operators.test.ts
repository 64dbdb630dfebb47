import t from 'tap'
import type { OperatorState } from '../../db/queries/operators.ts'
import { type BrakeMode, createBrake } from '../../runner/brake.ts'
import { createKeyHints } from '../../runner/parking.ts'
import type { Redriver } from '../../runner/redrive.ts'
import { createOperatorWatch } from '../../runner/watch-operators.ts'
import { silent, until } from '../_support/kafka.ts'

const groupId = 'smg.orders'
const forgotten = { state: 'stopped', reason: 'no table', isProbe: false, flood: undefined, isForgotten: true } as const

/** Looks once at what is stored of a function, and gives what this runner said of it, and whether it goes on. */
async function look(stored: OperatorState, { isWorking, mode = 'unknown' }: { isWorking: boolean; mode?: BrakeMode }) {
  let looks = 0
  const works: string[] = []
  const probes: string[] = []
  const operators = {
    states: async () => {
      looks += 1
      return new Map([[groupId, stored]])
    },
    redriving: async () => new Set<string>(),
    moves: async () => new Map<string, number>(),
    work: async (group: string) => void works.push(group),
    probe: async (group: string) => void probes.push(group)
  }
  const redriver = { groupId, start() {}, wake() {}, stop: async () => undefined } satisfies Redriver
  const watched = { groupId, fileHash: 'one', ordering: 'partition', brake: createBrake(mode), redriver } as const
  const readPositions = async () => undefined
  const item = { ...watched, hints: createKeyHints('partition'), isWorking: () => isWorking, readPositions }
  const watch = createOperatorWatch([item], { operators: operators as never, log: silent })
  watch.start()
  await until(() => looks > 0)
  await watch.stop()
  return { mode: item.brake.mode(), works: works.length > 0, probes: probes.length > 0 }
}

const cases = [
  { when: 'it works where nobody says any more that it is stopped', stored: forgotten, isWorking: true, says: true },
  { when: 'it owns nothing, or is stopped itself', stored: forgotten, isWorking: false, says: false },
  {
    when: 'another runner still says that it is stopped',
    stored: { ...forgotten, isForgotten: false },
    isWorking: true,
    says: false
  }
]
for (const { when, stored, isWorking, says } of cases) {
  t.test(`rule 19: ${says ? 'says that a function works' : 'says nothing of a function'} when ${when}`, async t => {
    t.match(await look(stored, { isWorking }), { works: says, mode: 'free' }, 'it goes on, whatever is said of it')
  })
}

const flood = { reason: 'handle Error', fileHash: 'one' }
const flooded = { state: 'stopped', reason: '1000 of 1000', isProbe: false, flood, isForgotten: false } as const

t.test('rule 20: a function that a flood stopped stands until its file is another one', async t => {
  t.match(await look(flooded, { isWorking: false }), { mode: 'stopped', probes: false })
  const changed = { ...flooded, flood: { ...flood, fileHash: 'two' } }
  t.match(await look(changed, { isWorking: false, mode: 'stopped' }), { mode: 'stopped', probes: true })
})

t.test('rule 19: a resumed function whose first record met a fault of ours is tried again, and again', async t => {
  const met = { ...flooded, isProbe: true, reason: 'no table' }
  t.strictSame(await look(met, { isWorking: false, mode: 'probe' }), { mode: 'probe', works: false, probes: false })
  const changed = { ...met, flood: { ...flood, fileHash: 'two' } }
  t.strictSame(await look(changed, { isWorking: false, mode: 'probe' }), { mode: 'probe', works: false, probes: false })

  const forgotten = { ...met, isForgotten: true }
  t.match(await look(forgotten, { isWorking: true, mode: 'probe' }), { mode: 'probe', works: true })
})

t.test('rule 3: reads positions at the first look, and again when an operator has moved one', async t => {
  let looks = 0
  let moves = 0
  let reads = 0
  const operators = {
    states: async () => {
      looks += 1
      return new Map()
    },
    redriving: async () => new Set<string>(),
    moves: async () => new Map([[groupId, moves]])
  }
  const redriver = { groupId, start() {}, wake() {}, stop: async () => undefined } satisfies Redriver
  const item = { groupId, fileHash: 'one', ordering: 'partition', brake: createBrake('free'), redriver } as const
  const readPositions = async () => {
    reads += 1
  }
  const watched = { ...item, hints: createKeyHints('partition'), isWorking: () => true, readPositions }
  const watch = createOperatorWatch([watched], { operators: operators as never, log: silent })
  t.teardown(() => watch.stop())

  watch.start()
  await until(() => looks === 2)
  t.equal(reads, 1, 'what was read before may be from before a move')
  moves = 1
  await until(() => reads === 2)
  const at = looks
  await until(() => looks === at + 2)
  t.equal(reads, 2)
})
