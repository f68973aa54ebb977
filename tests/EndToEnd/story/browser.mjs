// Chromium with ears: what is asked, answered and said on every page is kept for the tests.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const shots = join(process.env.EMR_END_TO_END, 'screenshots')
mkdirSync(shots, { recursive: true })

// Chromium as root in a container, without its own errands on the network.
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage']

export const launch = () => chromium.launch({ executablePath: process.env.EMR_CHROMIUM, args: flags })

/** A person at a browser of their own. */
export class Person {
  constructor(name, context, page, url) { Object.assign(this, { name, context, page, url, asked: [], complaints: [] }) }

  static async open(browser, name, url, options = {}) {
    const context = await browser.newContext({ baseURL: url, acceptDownloads: true, ...options })
    context.setDefaultTimeout(60_000)
    const page = await context.newPage()
    const person = new Person(name, context, page, url)
    // A fragment is the browser's own and is never sent.
    context.on('request', request => person.asked.push({ url: request.url().split('#')[0], method: request.method(), headers: JSON.stringify(request.headers()), body: request.postDataBuffer()?.toString('latin1') ?? '' }))
    page.on('console', message => { if (message.type() === 'error' || message.type() === 'warning') person.complaints.push(`${page.url()}: ${message.text()}`) })
    page.on('pageerror', error => person.complaints.push(`${page.url()}: ${error}`))
    return person
  }

  async go(path) {
    const answer = await this.page.goto(path)
    await this.page.waitForFunction(() => document.documentElement.dataset.scripts === 'on', null, { timeout: 60_000 }).catch(() => {})
    return answer
  }

  /** Pictures in light, dark, narrow and on paper, and a check of accessibility in light and dark: no serious finding. */
  async show(name, { print = false } = {}) {
    const { page } = this
    for (const [look, scheme, width] of [['light', 'light', 1280], ['dark', 'dark', 1280], ['phone', 'light', 360]]) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme: scheme, media: 'screen' })
      await page.screenshot({ path: join(shots, `${name}-${look}.png`), fullPage: true })
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert.ok(tooWide <= 0, `${name} at ${width} px scrolls sideways by ${tooWide} px`)
      await this.accessible(`${name}, ${look}`)
    }
    await page.setViewportSize({ width: 1280, height: 900 })
    if (print) {
      await page.emulateMedia({ media: 'print' })
      await page.screenshot({ path: join(shots, `${name}-print.png`), fullPage: true })
    }
    await page.emulateMedia({ colorScheme: 'light', media: 'screen' })
  }

  async accessible(name) {
    // Evaluated by the debugger, which no content policy of the page concerns.
    await this.page.evaluate(axe)
    const { violations } = await this.page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
    const serious = violations.filter(each => ['serious', 'critical'].includes(each.impact))
    assert.deepEqual(serious.map(each => `${each.id}: ${each.nodes.slice(0, 3).map(node => node.target.join(' ')).join('; ')}`), [], `serious findings of axe-core on ${name}`)
  }

  close = () => this.context.close()
}
