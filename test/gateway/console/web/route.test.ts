import t from 'tap'
import { parseRoute, toHash } from '../../../../gateway/console/web/route.ts'

const routes = [
  { hash: '', path: '/', segments: [], query: {} },
  { hash: '#/', path: '/', segments: [], query: {} },
  { hash: '#/topics', path: '/topics', segments: ['topics'], query: {} },
  { hash: '#/topics/a.b', path: '/topics/a.b', segments: ['topics', 'a.b'], query: {} },
  {
    hash: '#/messages?topic=a&key=x%20y',
    path: '/messages',
    segments: ['messages'],
    query: { topic: 'a', key: 'x y' }
  },
  { hash: '#/messages?key=a?b', path: '/messages', segments: ['messages'], query: { key: 'a?b' } },
  { hash: '#/topics/%E0%A4%A', path: '/topics/%E0%A4%A', segments: ['topics', '%E0%A4%A'], query: {} },
  { hash: '#topics', path: '/topics', segments: ['topics'], query: {} }
]
for (const { hash, path, segments, query } of routes) {
  t.test(`reads ${hash || 'nothing'}`, async t => {
    const route = parseRoute(hash)

    t.match(route, { path, segments })
    t.strictSame(Object.fromEntries(route.query), query)
  })
}

t.test('what is built is read again, whatever text it holds', async t => {
  const name = 'a/b?c#d%e "<x>" ü'
  const { segments, query } = parseRoute(toHash(['topics', name], { key: name, empty: '', none: undefined }))

  t.strictSame(segments, ['topics', name])
  t.strictSame(Object.fromEntries(query), { key: name })
})
