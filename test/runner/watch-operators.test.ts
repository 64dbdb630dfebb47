import t from 'tap'
import type { OperatorState } from '../../db/queries/operators.ts'
import { createBrake } from '../../runner/brake.ts'
import { createKeyHints } from '../../runner/parking.ts'
import type { Redriver } from '../../runner/redrive.ts'
import { createOperatorWatch } from '../../runner/watch-operators.ts'
import { silent, until } from '../_support/kafka.ts'

const groupId = 'smg.orders'
const forgotten = { state: 'stopped', reason: 'no table', isProbe: false, flood: undefined, isForgotten: true } as const

/** Looks once at what is stored of a function, and gives whether this runner said that it works. */
async function look(stored: OperatorState, { isWorking }: { isWorking: boolean }): Promise<boolean> {
  let looks = 0
  const works: string[] = []
  const operators = {
    states: async () => {
      looks += 1
      return new Map([[groupId, stored]])
    },
    redriving: async () => new Set<string>(),
    work: async (group: string) => void works.push(group)
  }
  const redriver = { groupId, start() {}, wake() {}, stop: async () => undefined } satisfies Redriver
  const watched = { groupId, fileHash: 'one', ordering: 'partition', brake: createBrake(), redriver } as const
  const item = { ...watched, hints: createKeyHints('partition'), isWorking: () => isWorking }
  const watch = createOperatorWatch([item], { operators: operators as never, log: silent })
  watch.start()
  await until(() => looks > 0)
  await watch.stop()
  t.equal(item.brake.mode(), 'free', 'it goes on, whatever is said of it')
  return works.length > 0
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
    t.equal(await look(stored, { isWorking }), says)
  })
}
