import { readFileSync } from 'node:fs'
import t from 'tap'
import { keepScreenshot, openBrowser, skip } from './_support/browser.ts'
import { startSystem } from './_support/system.ts'

t.test('dead letters are looked at, edited, run again in bulk, exported and given up', { skip }, async t => {
  const system = await startSystem(t)
  const { gatewayUrl, sql, mendFunction } = system
  system.breakFunction()
  for (let n = 1; n <= 5; n += 1) await system.send({ orderId: `order-${n}`, amountCents: n })
  mendFunction()
  await system.send({ orderId: 'order-6', amountCents: 6, note: 'refuse this' })
  const browser = await openBrowser(t, gatewayUrl)
  const page = await browser.open('#/dead-letters')
  const states = async () => {
    const rows = await sql`SELECT state, count(*)::int AS count FROM dead_letters GROUP BY state`
    return Object.fromEntries(rows.map(({ state, count }) => [state, count]))
  }

  await t.test('groups what failed alike, and redrives a group after saying what would happen', async t => {
    const groups = page.getByRole('region', { name: 'By reason' })
    const row = groups.getByRole('row', { name: /the till is closed/ })
    await row.waitFor()
    await keepScreenshot(page, 'dead-letters')
    await row.getByRole('button', { name: 'Redrive…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Redrive 5' }).waitFor()

    t.strictSame(await states(), { dead: 6 }, 'a dry run changes nothing')
    await keepScreenshot(page, 'dead-letters-bulk')
    await dialog.getByRole('button', { name: 'Redrive 5' }).click()
    await dialog.getByText('5 of 5 are done').waitFor()
    await system.until(async () => (await states()).resolved === 5)
    await dialog.getByRole('button', { name: 'Close', exact: true }).last().click()
    await groups.getByRole('row', { name: /the till is closed/ }).waitFor({ state: 'detached' })
  })

  await page.getByRole('region', { name: 'One by one' }).getByRole('link').first().click()
  await page.getByText('cannot take refuse this').first().waitFor()

  await t.test('saves it as a file', async t => {
    const saving = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export' }).click()
    const file = JSON.parse(readFileSync(await (await saving).path(), 'utf8'))

    t.equal(file.format, 'smg-kafka/dead-letter@1')
  })

  await t.test('does not send an edit that is no JSON, and runs one that is', async t => {
    await page.getByRole('button', { name: 'Edit…' }).click()
    const editor = page.getByRole('textbox', { name: 'Value' })
    const send = page.getByRole('button', { name: 'Redrive the edited value' })
    const original = await editor.inputValue()
    await editor.fill('{')
    t.ok(await send.isDisabled())
    await keepScreenshot(page, 'dead-letter-edit')

    await editor.fill(original.replace('refuse', 'please take'))
    await send.click()
    await page.getByText('It is resolved').waitFor()
    const [message] = await sql`SELECT value->>'note' AS note FROM messages WHERE key = 'order-6'`
    t.equal(message?.note, 'please take this')
  })

  await t.test('discards after a question', async t => {
    await system.send({ orderId: 'order-7', amountCents: 7, note: 'refuse that' })
    await page.goto(`${gatewayUrl}/#/dead-letters`)
    await page.getByRole('region', { name: 'One by one' }).getByRole('link').first().click()
    await page.getByRole('button', { name: 'Discard…' }).click()
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    t.strictSame((await states()).dead, 1, 'Escape is no')

    await page.getByRole('button', { name: 'Discard…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Discard', exact: true }).click()
    await page.getByText('It is given up').waitFor()
    t.strictSame(await states(), { resolved: 6, discarded: 1 })
  })

  t.strictSame(browser.faults, [])
})
