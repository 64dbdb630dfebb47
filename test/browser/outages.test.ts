import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { keepScreenshot, openBrowser, skip, type TestBrowser } from './_support/browser.ts'
import { startOwnServers } from './_support/own-servers.ts'
import { type ConsolePage, toPages, visit } from './_support/pages.ts'
import { startSystem } from './_support/system.ts'

t.test('pages say what is not known, and since when, while Kafka or PostgreSQL is away', { skip }, async t => {
  const { kafka, postgres } = await startOwnServers(t)
  const system = await startSystem(t, { PRODUCE_TIMEOUT_MS: '2000' })
  const { id } = await system.send({ orderId: 'order-1', amountCents: 1 })
  await system.send({ orderId: 'order-2', amountCents: 2, note: 'refuse this' })
  const [letter] = await system.sql`SELECT id::text AS id FROM dead_letters`
  const pages = toPages({ messageId: id, deadLetterId: String(letter?.id) })
  const browser = await openBrowser(t, system.gatewayUrl, { allowFailures: true })
  const messages = await browser.open('#/messages')
  const deadLetters = await browser.open('#/dead-letters')
  await messages.getByRole('row', { name: /order-1/ }).waitFor()
  await deadLetters.getByRole('row', { name: /order-2/ }).waitFor()

  await t.test('Kafka is away', async t => {
    await kafka.stop()

    await checkAll(t, browser, { pages, when: 'kafka-away' })
    const produce = await browser.open('#/produce/orders')
    await produce.getByRole('button', { name: 'Send', exact: true }).click()
    await produce.getByText('refused').waitFor()
    t.ok(await messages.getByRole('row', { name: /order-1/ }).isVisible(), 'what is settled is read all the same')
    await produce.close()
  })

  await t.test('both are away', async t => {
    await postgres.stop()

    await checkStale(t, messages, /order-1/)
    await checkStale(t, deadLetters, /order-2/)
    await keepScreenshot(messages, 'outage-messages')
    await keepScreenshot(deadLetters, 'outage-dead-letters')
    await checkAll(t, browser, { pages, when: 'both-away' })
  })

  await t.test('PostgreSQL is away', async t => {
    await kafka.start()

    await checkAll(t, browser, { pages, when: 'postgres-away' })
    const one = await browser.open(`#/messages/${id}`)
    await one.getByText('Cannot load this message').waitFor()
    t.ok(await one.getByRole('button', { name: 'Try again' }).isVisible())
    await one.close()
    const produce = await browser.open('#/produce/orders')
    await produce.getByLabel('orderId').fill('order-9')
    await produce.getByRole('button', { name: 'Send', exact: true }).click()
    await produce.getByText('accepted', { exact: true }).waitFor()
    await produce.close()
  })

  await t.test('both are back, and so are the pages, by themselves', async t => {
    await postgres.start()
    await messages.getByText('Last known').waitFor({ state: 'detached', timeout: 60_000 })
    await system.send({ orderId: 'order-3', amountCents: 3 })
    await messages.getByRole('row', { name: /order-3/ }).waitFor({ timeout: 60_000 })

    t.equal(await messages.getByText('PostgreSQL is away').count(), 0)
  })

  t.strictSame(browser.faults, [])
})

/** What was there stays, and is marked. */
async function checkStale(t: Test, page: Page, row: RegExp) {
  await page.getByText('Last known').first().waitFor({ timeout: 60_000 })
  t.ok(await page.getByRole('row', { name: row }).first().isVisible(), 'the last rows are shown')
}

interface Outage {
  readonly pages: readonly ConsolePage[]
  readonly when: string
}

/** In a tab that is opened now each page comes to an end with its loading, and shows more than its heading. */
async function checkAll(t: Test, browser: TestBrowser, { pages, when }: Outage) {
  const page = await browser.open('#/')
  for (const one of pages) {
    await visit(page, one)
    await keepScreenshot(page, `${when}-${one.name}`)
    const text = String(await page.evaluate("document.querySelector('main').innerText"))

    t.ok(text.length > 40, `${one.name} says something`)
    t.notMatch(text, /undefined|NaN|\[object/, `${one.name} makes sense`)
  }
  await page.close()
}
