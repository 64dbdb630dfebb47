import { Counter, Histogram, Registry } from 'prom-client'
import t from 'tap'
import { createCounter, createHistogram } from '../../sdk/series.ts'

t.test('a histogram reads as prom-client’s own', async t => {
  const buckets = [0.1, 1, 5]
  const values = [0, 0.1, 0.10001, 1, 3, 5, 5.1, 1_000]
  const own = new Registry()
  const theirs = new Registry()
  const open = createHistogram({ name: 'a_seconds', help: 'Time', buckets, registry: own })
  const histogram = new Histogram({
    ...{ name: 'a_seconds', help: 'Time', buckets, labelNames: ['route', 'status'], registers: [theirs] }
  })

  for (const labels of [
    { route: '/a', status: '200' },
    { route: '/"b"', status: '404' }
  ]) {
    const add = open(labels)
    for (const value of values) {
      add(value)
      histogram.observe(labels, value)
    }
  }

  const sorted = (text: string) => text.split('\n').map(sortLabels)
  t.strictSame(sorted(await own.metrics()), sorted(await theirs.metrics()))
})

t.test('a counter reads as prom-client’s own, however often it is read', async t => {
  const own = new Registry()
  const theirs = new Registry()
  const options = { name: 'a_total', help: 'Things', labelNames: ['topic'] as const }
  const open = createCounter({ ...options, registers: [own] })
  const counter = new Counter({ ...options, registers: [theirs] })
  const add = open({ topic: 'a' })

  for (const count of [1, 5, 0]) {
    add(count)
    counter.inc({ topic: 'a' }, count)
    t.equal(await own.metrics(), await theirs.metrics())
  }
})

/** The order of labels says nothing. */
function sortLabels(line: string): string {
  return line.replace(/\{(.*)\}/, (_all, labels: string) => `{${labels.split(',').sort().join(',')}}`)
}
