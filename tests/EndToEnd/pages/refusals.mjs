// Pages that say no, in a real Chromium, at a host of a test that refuses and fails on purpose: node refusals.mjs
import assert from 'node:assert/strict'
import { launch, Person } from '../story/browser.mjs'

const browser = await launch()
try {
  const reader = await Person.open(browser, 'reader', process.env.EMR_SERVER), { page } = reader
  for (const [path, status, name, ...texts] of [
    ['/refused', 404, 'refusal', 'no such data set here', 'Check the address'],
    ['/defect', 500, 'defect', 'The program failed here', 'tell whoever runs this server', 'Reference'],
    ['/crowded', 429, 'too-many', 'in so short a time', 'Wait some seconds'],
  ]) {
    // A limit fills up again by itself: it is used up until the page is refused by it.
    let answer
    do {
      for (let left = status === 429; left;) left = (await fetch(process.env.EMR_SERVER + path)).status !== 429
      answer = await page.goto(path)
    } while (status === 429 && answer.status() === 200)
    assert.equal(answer.status(), status, path)
    if (status === 429) assert.ok(Number(answer.headers()['retry-after']) >= 1)
    await page.getByRole('heading', { name: 'This did not work' }).waitFor()
    for (const text of texts) await page.getByText(text).first().waitFor()
    assert.equal(await page.getByRole('link', { name: 'Go to the first page' }).getAttribute('href'), '/')
    assert.equal(await page.evaluate(() => document.styleSheets.length), 2, `${path} has no style`)
    await reader.show(name)
  }
} finally {
  await browser.close()
}
