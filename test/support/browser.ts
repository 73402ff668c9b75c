/** A real browser for tests, closed when the test ends. */
import { existsSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { chromium, type BrowserContextOptions, type Page } from 'playwright-core'

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  String.raw`C:\Program Files\Google\Chrome\Application\chrome.exe`,
]

/** Nothing but the page may reach for the network. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

const findBrowser = (): string => {
  const given = process.env['WHETSTONE_TEST_BROWSER']
  const found = given ?? PLACES.find((place) => existsSync(place))
  if (found !== undefined) return found
  throw new Error(
    'No browser found: install chromium (Debian: apt-get install chromium) or set WHETSTONE_TEST_BROWSER to one.',
  )
}

export interface OpenPage {
  readonly page: Page
  /** What went wrong inside the page so far. */
  readonly faults: string[]
}

/** A page in a browser with a profile of its own. */
export const openPage = async (
  t: TestContext,
  options: BrowserContextOptions = {},
): Promise<OpenPage> => {
  const browser = await chromium.launch({ executablePath: findBrowser(), args: FLAGS })
  t.after(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options })
  page.setDefaultTimeout(30_000)
  const faults: string[] = []
  page.on('pageerror', ({ message }) => faults.push(message))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  return { page, faults }
}
