import t from 'tap'
import { type Chart, toBarChart } from '../../bench/chart.ts'

const chart: Chart = {
  title: 'Rows & tables',
  subtitle: 'CPU time of an event',
  unit: 'µs',
  series: ['self', 'PostgreSQL'],
  noteTitle: 'events a second',
  panels: [
    {
      title: '',
      bars: [
        { label: 'ours', parts: [10, 30], note: '1,000', isMarked: true },
        { label: 'theirs <1>', parts: [60, 20], note: '500', isMarked: false },
        { label: 'dead', parts: [0, 0], note: '0', isMarked: false }
      ]
    }
  ],
  footer: 'one line\nanother'
}

t.test('draws a bar of parts to scale, with its sum', async t => {
  const svg = toBarChart(chart)

  const widths = [...svg.matchAll(/class="s[01]" x="[\d.]+" y="[\d.]+" width="([\d.]+)" height="16"/g)].map(
    ([, width]) => Number(width)
  )
  const [self = 0, postgres = 0, theirSelf = 0, theirPostgres = 0, ...dead] = widths
  t.equal(Math.round(postgres / self), 3)
  t.equal(Math.round((theirSelf + theirPostgres) / (self + postgres)), 2)
  t.strictSame(dead, [0, 0])
  t.match(svg, '>40.0 µs<')
  t.match(svg, '>80.0 µs<')
  t.match(svg, '>void<', 'where nothing was measured no 0 is drawn')
})

t.test('is well-formed, and has colours for a dark page', async t => {
  const svg = toBarChart(chart)

  t.match(svg, '>Rows &amp; tables<')
  t.match(svg, '>theirs &lt;1&gt;<')
  t.match(svg, '@media (prefers-color-scheme: dark)')
  t.notMatch(svg, /NaN|undefined/)
})
