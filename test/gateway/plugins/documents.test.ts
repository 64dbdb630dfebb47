import t from 'tap'
import { buildApp, settings } from '../_support/build-app.ts'

t.test('GET /docs is a page that loads nothing from elsewhere, and holds no style and no script', async t => {
  const app = await buildApp(t)

  const { headers, body } = await app.inject('/docs')

  const links = [...body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url = '']) => url)
  t.ok(links.includes('/docs/static/theme/theme.css'))
  for (const url of links) t.match(await app.inject(url), { statusCode: 200 }, url)
  t.notMatch(body, /<style|style=|<script>|<script (?!src=)/)
  t.notMatch(headers['content-security-policy'], /unsafe-inline|https?:/)
})

t.test('the theme has its colours for light and dark, and nothing from elsewhere', async t => {
  const app = await buildApp(t)

  const { headers, body } = await app.inject('/docs/static/theme/theme.css')

  t.match(headers['content-type'], /^text\/css/)
  const names = [...body.matchAll(/var\((--[\w-]+)\)/g)].map(([, name]) => name)
  for (const name of new Set(names)) t.match(body, `${name}:`, `${name} is defined`)
  t.match(body, /prefers-color-scheme: dark/)
  t.notMatch(body, /url\(|@import/)
})

for (const url of ['/openapi.json', '/asyncapi.json']) {
  t.test(`GET ${url} gives the document of the functions that are loaded`, async t => {
    const app = await buildApp(t)

    const response = await app.inject(url)

    t.match(response.headers['content-type'], /^application\/json/)
    t.match(response.body, /"user-activities"/)
    t.notMatch(response.body, /127\.0\.0\.1|postgres:/)
  })
}

t.test('GET /asyncapi.json names the groups that this system has', async t => {
  const app = await buildApp(t, { settings: { ...settings, groupPrefix: 'other.' } })

  const { operations, channels } = (await app.inject('/asyncapi.json')).json()

  t.equal(operations['receive-notifications'].bindings.kafka.groupId.const, 'other.notifications')
  t.ok('dlq.other.notifications.notifications' in channels)
})
