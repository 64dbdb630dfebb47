import type { Sql } from 'postgres'
import t from 'tap'
import { createOperatorQueries } from '../../../db/queries/operators.ts'
import { createTestDatabase } from '../../_support/database.ts'

t.test('gives what is wanted of the groups that are asked for, and nothing for one that has no row', async t => {
  const { sql } = await createTestDatabase(t)
  const operators = createOperatorQueries(sql)
  await operators.stop({ groupId: 'a', topic: 'x' }, { reason: 'r', text: 'stopped', fileHash: 'h' })
  await operators.stop({ groupId: 'b', topic: 'x' }, { reason: 'r', text: 'stopped', fileHash: 'h' })

  const states = await operators.states(['a', 'c'])

  t.strictSame([...states.keys()], ['a'])
  t.match(states.get('a'), { state: 'stopped', reason: 'stopped', isProbe: false, flood: { fileHash: 'h' } })
  t.equal((await operators.states([])).size, 0)
})

t.test('rule 20: an answer without the groups that were asked for is none: nothing stopped goes on by it', async t => {
  // No PostgreSQL answers so; a driver that lost the question does.
  const empty = createOperatorQueries(Object.assign(async () => [], { unsafe: () => '' }) as unknown as Sql)

  await t.rejects(empty.states(['a']), { code: 'SMG_DB_CONNECTION_LOST' })
})
