import type { Page } from 'playwright-core'

/** A page of the console; no page has the heading of the one before it, which tells when it is there. */
export interface ConsolePage {
  readonly name: string
  readonly hash: string
  readonly heading: string
}

/** Every page, in an order that `visit` needs. */
export function toPages({ messageId, deadLetterId }: { messageId: string; deadLetterId: string }): ConsolePage[] {
  return [
    { name: 'overview', hash: '#/', heading: 'Overview' },
    { name: 'topics', hash: '#/topics', heading: 'Topics' },
    { name: 'topic', hash: '#/topics/orders', heading: 'orders' },
    { name: 'messages', hash: '#/messages', heading: 'Messages' },
    { name: 'message', hash: `#/messages/${messageId}`, heading: 'Message' },
    { name: 'function', hash: '#/functions/orders', heading: 'orders' },
    { name: 'dead-letters', hash: '#/dead-letters', heading: 'Dead letters' },
    { name: 'dead-letter', hash: `#/dead-letters/${deadLetterId}`, heading: 'Dead letter' },
    { name: 'produce', hash: '#/produce/orders', heading: 'Produce' },
    { name: 'alerts', hash: '#/alerts', heading: 'Alerts' },
    { name: 'audit', hash: '#/audit', heading: 'Audit' }
  ]
}

/** Goes to a page in a tab that is open, as its links do, and waits until nothing of it is under way. */
export async function visit(page: Page, { hash, heading }: ConsolePage): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor()
  await untilLoaded(page)
}

/** Waits until nothing on a page is under way any more. */
export async function untilLoaded(page: Page): Promise<void> {
  await page.locator('.skeleton, .spinner').first().waitFor({ state: 'detached' })
}
