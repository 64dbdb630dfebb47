import axe from 'axe-core'
import t from 'tap'
import { keepScreenshot, openBrowser, skip, untilLoaded } from './_support/browser.ts'
import { startSystem } from './_support/system.ts'

const VIEWPORTS = { wide: { width: 1440, height: 900 }, narrow: { width: 400, height: 860 } }

t.test('no page has a serious fault for who sees or points otherwise', { skip }, async t => {
  const system = await startSystem(t)
  const { id } = await system.send({ orderId: 'order-1', amountCents: 1, note: 'a note', channel: 'web' })
  await system.send({ orderId: 'order-2', amountCents: 2, note: 'refuse this' })
  const [letter] = await system.sql`SELECT id::text AS id FROM dead_letters`
  const browser = await openBrowser(t, system.gatewayUrl)
  // No page has the heading of the one before it: that tells when it is there.
  const pages = [
    { name: 'overview', hash: '#/', heading: 'Overview' },
    { name: 'topics', hash: '#/topics', heading: 'Topics' },
    { name: 'topic', hash: '#/topics/orders', heading: 'orders' },
    { name: 'messages', hash: '#/messages', heading: 'Messages' },
    { name: 'message', hash: `#/messages/${id}`, heading: 'Message' },
    { name: 'function', hash: '#/functions/orders', heading: 'orders' },
    { name: 'dead-letters', hash: '#/dead-letters', heading: 'Dead letters' },
    { name: 'dead-letter', hash: `#/dead-letters/${letter?.id}`, heading: 'Dead letter' },
    { name: 'produce', hash: '#/produce/orders', heading: 'Produce' },
    { name: 'alerts', hash: '#/alerts', heading: 'Alerts' },
    { name: 'audit', hash: '#/audit', heading: 'Audit' }
  ]

  for (const [width, viewport] of Object.entries(VIEWPORTS)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await browser.open('#/', { viewport, colorScheme })
      await page.evaluate(axe.source)

      for (const { name, hash, heading } of pages) {
        await page.goto(`${system.gatewayUrl}/${hash}`)
        await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor()
        await untilLoaded(page)
        await keepScreenshot(page, `${name}-${width}-${colorScheme}`)

        const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults
        const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
        const found = serious.map(({ id: rule, nodes }) => `${rule}: ${nodes[0]?.html}`)
        t.strictSame(found, [], `${name}, ${width}, ${colorScheme}`)
        t.notOk(await page.evaluate('document.documentElement.scrollWidth > innerWidth'), `${name} fits, ${width}`)
      }
      await page.close()
    }
  }

  t.strictSame(browser.faults, [])
})
