import { type Browser, chromium, type Page } from 'playwright-core'
import { readCpu } from '../cpu.ts'

/** A page that is open in a browser of its own. */
export interface OpenPage {
  /** From the beginning of its navigation until all of it was there, in milliseconds. */
  readonly usableMs: number
  /** CPU time of the page itself, and of its browser with all processes, in seconds so far; throws when one is gone. */
  readCpuSeconds(): Promise<{ readonly page: number; readonly browser: number }>
  /** What lives on its heap, after a collection, in MB. */
  readHeapMegabytes(): Promise<number>
  close(): Promise<void>
}

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const USABLE_MS = 60_000

/**
 * Notes in the page itself when its heading, its charts and its numbers are drawn and nothing is awaited any more: whoever
 * asks from outside asks late.
 */
const WATCH = `
  window.usableMs = new Promise(resolve => {
    const look = () => {
      const isThere = document.querySelector('h1') && document.querySelectorAll('canvas').length >= 4 &&
        document.querySelector('.stats .num') && !document.querySelector('.skeleton, .spinner')
      if (isThere) requestAnimationFrame(() => resolve(performance.now()))
      else setTimeout(look, 5)
    }
    look()
  })`

/**
 * Opens the console's overview as somebody does who has never been there: a new browser, nothing kept.
 *
 * @throws when it is not usable after a minute
 */
export async function openOverview(gatewayUrl: string): Promise<OpenPage> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
    page.setDefaultTimeout(USABLE_MS)
    await page.addInitScript(WATCH)
    await page.goto(gatewayUrl)
    const usableMs = await within(page.evaluate<number>('window.usableMs'))
    return { usableMs, ...(await openMeters(browser, page)), close: () => browser.close() }
  } catch (error) {
    await browser.close()
    throw error
  }
}

async function openMeters(browser: Browser, page: Page) {
  const ofBrowser = await browser.newBrowserCDPSession()
  const ofPage = await page.context().newCDPSession(page)
  const readProcesses = async () => (await ofBrowser.send('SystemInfo.getProcessInfo')).processInfo

  return {
    async readCpuSeconds() {
      const processes = await readProcesses()
      // Nobody tells which one has the page: the others, kept in store, count with it, and do next to nothing.
      const renderers = processes.filter(({ type }) => type === 'renderer')
      const main = processes.find(({ type }) => type === 'browser')
      const browser = main ? readCpu(main.id) : null
      if (renderers.length === 0 || browser === null)
        throw new Error('the browser, or the process of its page, is gone')
      return { page: renderers.reduce((sum, { cpuTime }) => sum + cpuTime, 0), browser: browser / 1e6 }
    },
    async readHeapMegabytes() {
      await ofPage.send('HeapProfiler.collectGarbage')
      const { usedSize } = await ofPage.send('Runtime.getHeapUsage')
      return usedSize / 1e6
    }
  }
}

async function within(usable: Promise<number>): Promise<number> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the overview was not usable after a minute')), USABLE_MS)
  })
  return Promise.race([usable, late]).finally(() => clearTimeout(timer))
}
