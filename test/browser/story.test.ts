import t from 'tap'
import { keepScreenshot, openBrowser, skip } from './_support/browser.ts'
import { startSystem } from './_support/system.ts'

t.test('an event is produced, dies, is run again and settled, and the alert comes and goes', { skip }, async t => {
  const { gatewayUrl, breakFunction, mendFunction, sql } = await startSystem(t, { ALERT_INTERVAL_MS: '1000' })
  const browser = await openBrowser(t, gatewayUrl)
  const messages = await browser.open('#/messages')
  const produce = await browser.open('#/produce/orders')
  await messages.getByText('Live', { exact: true }).waitFor()
  await messages.evaluate('window.isTheSame = true')
  // The list asks again from time to time: what is seen now came by the stream.
  await messages.route(/\/api\/messages\?/, route => route.abort())

  await t.test('a form is made of the schema, and says at its fields what the gateway refuses', async t => {
    await produce.getByLabel('orderId').fill('')
    await produce.getByLabel('amountCents').fill('0')
    await produce.getByRole('button', { name: 'Send', exact: true }).click()
    await produce.getByText('refused').waitFor()
    const invalid = await produce.locator('[aria-invalid="true"]').count()

    t.ok(invalid > 0, 'a field says why')
    await keepScreenshot(produce, 'story-refused')
  })

  await t.test('what is produced arrives in the list without a reload', async t => {
    await produce.getByLabel('orderId').fill('order-42')
    await produce.getByLabel('amountCents').fill('1250')
    await produce.getByLabel('channel').selectOption({ label: 'shop' })
    await produce.getByRole('button', { name: 'Send', exact: true }).click()
    await produce.getByText('settled', { exact: true }).waitFor()
    await messages.getByRole('row', { name: /order-42/ }).waitFor()

    t.ok(await messages.evaluate('window.isTheSame'))
    await keepScreenshot(messages, 'story-live')
  })

  await t.test('a message tells its value, its headers and its way', async t => {
    await produce.getByRole('link', { name: 'Open the message' }).first().click()
    await produce.getByRole('heading', { name: 'Its way' }).waitFor()

    for (const text of ['order-42', 'smg-kafka-producer', 'Settled'])
      t.ok(await produce.getByText(text).first().isVisible(), text)
    await keepScreenshot(produce, 'story-message')
    await produce.goBack()
  })

  breakFunction()
  await t.test('a function that fails makes a dead letter, and the page says why', async t => {
    await produce.getByLabel('orderId').fill('order-43')
    await produce.getByRole('button', { name: 'Send', exact: true }).click()
    await produce.getByText('dead letter', { exact: true }).first().waitFor()
    await keepScreenshot(produce, 'story-dead')
    await produce.getByRole('link', { name: 'Open the dead letter' }).click()
    await produce.getByText('the till is closed').first().waitFor()

    t.ok(await produce.getByText('Attempts used up').isVisible())
  })

  const overview = await browser.open('#/')
  const notice = overview.getByText('A dead letter waits for somebody')
  await t.test('the alert about a dead letter that nobody cares for fires', async t => {
    t.equal(await notice.count(), 0)
    // An hour passes.
    await sql`UPDATE dead_letters SET created_at = created_at - interval '2 hours'`
    await notice.waitFor()

    await keepScreenshot(overview, 'story-alert')
  })

  mendFunction()
  await t.test('it is run again, and the page follows until it is resolved', async t => {
    await produce.getByRole('button', { name: 'Redrive', exact: true }).click()
    await produce.getByText('It is resolved').waitFor()
    await keepScreenshot(produce, 'story-resolved')
    await produce.getByRole('link', { name: 'Open the message' }).click()
    await produce.getByRole('heading', { name: 'Its way' }).waitFor()

    t.equal((await sql`SELECT FROM dead_letters WHERE state = 'resolved'`).length, 1)
  })

  await t.test('the alert clears, and both are in its history', async t => {
    await notice.waitFor({ state: 'detached' })
    const response = await fetch(`${gatewayUrl}/api/alerts/history?name=OldestDeadLetter`)

    t.match(await response.json(), { items: [{ event: 'cleared' }, { event: 'fired' }] })
  })

  t.strictSame(
    browser.faults,
    ['400 /api/produce/orders'],
    'no errors but the one that was meant, no requests elsewhere'
  )
})
