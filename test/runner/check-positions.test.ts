import t from 'tap'
import type { Position } from '../../db/queries/positions.ts'
import { createAssignedPartition } from '../../runner/assigned-partition.ts'
import { createPositionCheck } from '../../runner/check-positions.ts'
import { silent, until } from '../_support/kafka.ts'

t.test('rule 3: reads positions once more when one that was under way may have read them before a move', async t => {
  const at = (nextOffset: bigint): Position => ({ partition: 0, nextOffset, topicId: null })
  let stored = 5n
  let reads = 0
  let answer: () => void = () => undefined
  const held = new Promise<void>(resolve => {
    answer = resolve
  })
  const moves: bigint[] = []
  const partition = createAssignedPartition(at(5n))
  const positions = createPositionCheck({
    owned: new Map([[0, partition]]),
    locator: {
      async readOrCreate() {
        const read = stored
        reads += 1
        if (reads === 1) await held
        return new Map([[0, at(read)]])
      }
    } as never,
    betweenWrites: work => work(),
    moveTo(owned, position) {
      owned.moveTo(position)
      moves.push(position.nextOffset)
    },
    onBounds: () => undefined,
    onRead: () => undefined,
    log: silent
  })

  const early = positions.check({ withLog: false })
  await until(() => reads === 1)
  stored = 2n
  const now = positions.checkNow()
  answer()
  await Promise.all([early, now])

  t.strictSame(moves, [2n])
  t.equal(reads, 2)
})
