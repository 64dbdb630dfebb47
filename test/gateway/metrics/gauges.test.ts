import { Registry } from 'prom-client'
import t from 'tap'
import { createGauges, single } from '../../../gateway/metrics/gauges.ts'

t.test('shows what is known when it is asked for, and nothing for what is not', async t => {
  const registry = new Registry()
  const add = createGauges(registry)
  let size: number | null = 7
  let lags = new Map([['a', 1]])
  add({ name: 'size', help: 'Bytes' }, () => single(size))
  add({ name: 'lag', help: 'Records', labelNames: ['topic'] }, () =>
    [...lags].map(([topic, lag]) => [{ topic }, lag] as const)
  )
  const lines = async () => (await registry.metrics()).split('\n').filter(line => line !== '' && !line.startsWith('#'))

  t.strictSame(await lines(), ['size 7', 'lag{topic="a"} 1'])
  size = null
  lags = new Map([['b', 0]])
  t.strictSame(await lines(), ['lag{topic="b"} 0'])
})
