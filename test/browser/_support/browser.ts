import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const SCREENSHOTS = join(import.meta.dirname, '..', '..', '..', '.smg', 'browser')
const TIMEOUT_MS = 20_000

/** Why a test in a browser is not run, for its `skip`; false when it is. */
export const skip = findReason()

function findReason(): string | false {
  if (process.env.TEST_BROWSER !== '1') return 'run by npm run test:browser'
  return existsSync(CHROMIUM) ? false : `no Chromium at ${CHROMIUM}`
}

/** A browser that sees one gateway, and notes what a page must not do. */
export interface TestBrowser {
  /** Opens a page of the console, `#/…`, in a tab of its own. */
  open(hash: string, options?: OpenOptions): Promise<Page>
  /** What pages did that they must not: errors of theirs, refused requests, and requests to anybody else. */
  readonly faults: readonly string[]
}

interface OpenOptions {
  /** Default: 1440 by 900. */
  readonly viewport?: { readonly width: number; readonly height: number }
  readonly colorScheme?: 'light' | 'dark'
}

interface BrowserOptions {
  /** True takes answers from 400 on for no faults. */
  readonly allowFailures?: boolean
}

/** Starts a browser, which ends with the test. */
export async function openBrowser(
  t: Test,
  gatewayUrl: string,
  { allowFailures = false }: BrowserOptions = {}
): Promise<TestBrowser> {
  const browser: Browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  t.teardown(() => browser.close())
  const faults: string[] = []

  return { open, faults }

  async function open(
    hash: string,
    { viewport = { width: 1440, height: 900 }, colorScheme = 'light' }: OpenOptions = {}
  ) {
    const options: BrowserContextOptions = { viewport, colorScheme, reducedMotion: 'reduce' }
    const page = await browser.newPage(options)
    page.setDefaultTimeout(TIMEOUT_MS)
    page.on('pageerror', error => faults.push(`error: ${error.message}`))
    page.on('console', message => {
      // The browser itself says this of an answer, but not which.
      const isAnswer = message.text().startsWith('Failed to load resource')
      if (message.type() === 'error' && !isAnswer) faults.push(`console: ${message.text()}`)
    })
    page.on('response', response => {
      if (response.status() < 400 || allowFailures) return
      faults.push(`${response.status()} ${response.url().slice(gatewayUrl.length)}`)
    })
    page.on('request', request => {
      const url = request.url()
      if (!url.startsWith(gatewayUrl) && !/^(data|blob):/.test(url)) faults.push(`request: ${url}`)
    })
    await page.goto(`${gatewayUrl}/${hash}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    return page
  }
}

/** Keeps a picture of a page, for people; nothing compares it. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true })
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true })
}
