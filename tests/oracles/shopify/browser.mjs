// node browser.mjs NODE_MODULES CHROMIUM SHOP PICTURES < scenes: what a person sees and a browser sends, scene by scene.
//
// A scene: name, path, width, set (what the shop is like), then; done in one page of its own unless again says to go on in the last one.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [modules, executablePath, shop, pictures] = process.argv.slice(2)
const { chromium } = createRequire(join(modules, 'x.js'))('playwright-core')
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
const said = []
let page

for (const scene of JSON.parse(readFileSync(0, 'utf8'))) {
  await fetch(`${shop}/set?${new URLSearchParams({ customer: '', own: 'yes', slow: '0', serving: '', ...scene.set })}`)
  if (!scene.again) page = await (await browser.newContext({ viewport: { width: scene.width ?? 1280, height: 900 } })).newPage()
  if (!scene.again) await fetch(`${shop}/told`)
  const errors = []
  page.removeAllListeners()
  page.on('pageerror', (error) => errors.push(String(error)))
  await page.goto(`${shop}${scene.path}`, { waitUntil: 'networkidle' })
  const list = page.locator('.everloop__list')
  if (scene.seen !== false) await list.scrollIntoViewIfNeeded().catch(() => {})
  await page.waitForTimeout(400)
  if (scene.open) {
    await Promise.all([page.waitForURL('**/products/**'), page.locator('.everloop__link').nth(scene.open - 1).click()])
    await page.waitForLoadState('networkidle')
  }
  if (scene.buy) {
    await page.locator('form button').click()
    await page.waitForTimeout(1900)
  }
  if (pictures) await page.screenshot({ path: join(pictures, `${scene.name}.png`) })
  said.push({
    name: scene.name, errors, url: page.url(),
    shown: await page.locator('.everloop__link').evaluateAll((links) => links.map((one) => one.dataset.product)),
    titles: await page.locator('.everloop__title').allTextContents(),
    hidden: await page.locator('.everloop').evaluate((section) => section.hidden),
    shifts: await page.evaluate(() => window.shifts), hacked: await page.evaluate(() => window.hacked ?? null),
    heights: await page.locator('.everloop__card').evaluateAll((cards) => [...new Set(cards.map((one) => Math.round(one.getBoundingClientRect().height)))]),
    told: await (await fetch(`${shop}/told`)).json(),
  })
}
await browser.close()
console.log(JSON.stringify(said))
