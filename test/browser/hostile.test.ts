import t from 'tap'
import { keepScreenshot, openBrowser, skip } from './_support/browser.ts'
import { untilLoaded } from './_support/pages.ts'
import { startSystem } from './_support/system.ts'

const MARKUP = `<img src=x onerror="window.isHit=true"><script>window.isHit=true</script>"'\`{{7*7}}`
const RIGHT_TO_LEFT = '\u202Eشروحات \u2066abc'
// The door takes 1 MiB.
const LARGE = `${MARKUP}${'x'.repeat(1_000_000)}`
const MAX_SHOWN = 60_000

t.test('text of records is shown as text, however it looks and however long it is', { skip }, async t => {
  const system = await startSystem(t)
  const { gatewayUrl } = system
  const { id } = await system.send({ orderId: MARKUP.slice(0, 64), amountCents: 1, note: `${RIGHT_TO_LEFT} ${MARKUP}` })
  const large = await system.send({ orderId: 'large', amountCents: 2, note: LARGE })
  const dead = await system.send({ orderId: RIGHT_TO_LEFT, amountCents: 3, note: `refuse ${MARKUP} ${RIGHT_TO_LEFT}` })
  t.equal(large.outcome?.state, 'settled')
  t.equal(dead.outcome?.state, 'dead')
  const [letter] = await system.sql`SELECT id::text AS id FROM dead_letters`
  const browser = await openBrowser(t, gatewayUrl)

  const pages = [
    '#/messages',
    `#/messages/${id}`,
    `#/messages/${large.id}`,
    `#/produce/orders?message=${id}`,
    `#/produce/orders?message=${large.id}`,
    '#/dead-letters',
    `#/dead-letters/${letter?.id}`,
    '#/functions/orders',
    '#/'
  ]
  for (const [index, hash] of pages.entries()) {
    const page = await browser.open(hash)
    await untilLoaded(page)
    await keepScreenshot(page, `hostile-${index}`)

    t.notOk(await page.evaluate('window.isHit'), `${hash}: nothing of it runs`)
    t.equal(await page.locator('#app img, #app script').count(), 0, `${hash}: nothing of it is markup`)
    const shown = Number(await page.evaluate('document.body.innerText.length'))
    t.ok(shown < MAX_SHOWN, `${hash}: what is long is cut (${shown} characters)`)
    await page.close()
  }

  await t.test('all of a long value is shown to who asks for it', async t => {
    const page = await browser.open(`#/messages/${large.id}`)
    await page
      .getByRole('button', { name: /^Show all/ })
      .first()
      .click()
    await system.until(async () => Number(await page.evaluate('document.body.innerText.length')) > 1_000_000)

    t.ok(await page.getByRole('heading', { name: 'Its way' }).isVisible(), 'and the page still answers')
    await page.close()
  })

  await t.test('text from right to left turns nothing around it', async t => {
    const page = await browser.open('#/dead-letters')
    await page.getByRole('region', { name: 'One by one' }).locator('td bdi').first().waitFor()

    const isolated = await page.evaluate('getComputedStyle(document.querySelector("td bdi")).unicodeBidi')
    t.equal(isolated, 'isolate')
  })

  t.strictSame(browser.faults, [])
})
