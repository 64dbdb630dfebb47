import axe from 'axe-core'
import t from 'tap'
import { keepScreenshot, openBrowser, skip } from './_support/browser.ts'
import { toPages, visit } from './_support/pages.ts'
import { startSystem } from './_support/system.ts'

const VIEWPORTS = { wide: { width: 1440, height: 900 }, narrow: { width: 400, height: 860 } }

t.test('no page has a serious fault for who sees or points otherwise', { skip }, async t => {
  const system = await startSystem(t)
  const { id } = await system.send({ orderId: 'order-1', amountCents: 1, note: 'a note', channel: 'web' })
  await system.send({ orderId: 'order-2', amountCents: 2, note: 'refuse this' })
  const [letter] = await system.sql`SELECT id::text AS id FROM dead_letters`
  const browser = await openBrowser(t, system.gatewayUrl)
  const pages = toPages({ messageId: id, deadLetterId: String(letter?.id) })

  for (const [width, viewport] of Object.entries(VIEWPORTS)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await browser.open('#/', { viewport, colorScheme })
      await page.evaluate(axe.source)

      for (const one of pages) {
        const { name } = one
        await visit(page, one)
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
