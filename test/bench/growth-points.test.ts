import t from 'tap'
import { toPoints } from '../../bench/growth-points.ts'

const values = {
  ...{ partitions: '1,3', bytes: '200,10000', functions: '1', rows: '1000' },
  ...{ events: '100000', megabytes: '100', only: '' }
}

t.test('varies one cause at a time, the base once', async t => {
  const base = { partitions: 3, bytes: 200, functions: 1, rows: 0, events: 100_000 }

  t.strictSame(toPoints(values), [
    { ...base, name: 'base' },
    { ...base, name: 'partitions 1', partitions: 1 },
    { ...base, name: 'bytes 10000', bytes: 10_000, events: 10_000 },
    { ...base, name: 'rows 1000', rows: 1_000 }
  ])
  t.strictSame(
    toPoints({ ...values, only: 'rows' }).map(({ name }) => name),
    ['base', 'rows 1000']
  )
})

t.test('refuses a cause that it does not know', async t => {
  t.throws(() => toPoints({ ...values, only: 'rows,weather' }), { message: /--only.*partitions/ })
})
