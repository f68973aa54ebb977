// The report of an evaluation in a real Chromium: one file that asks nobody, readable at every width, in light and dark and on paper.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { launch, Person } from './browser.mjs'
import { program, root } from './market.mjs'

test('Report_of_an_evaluation_is_readable_everywhere_and_asks_nobody', { timeout: 240_000 }, async () => {
  const out = join(process.env.EMR_END_TO_END, 'evaluation')
  rmSync(out, { recursive: true, force: true })
  const run = spawnSync('dotnet', [program, 'evaluate', '--records', '2000', '--experiment', 'none', '--out', out], { encoding: 'utf8', env: { ...process.env, EMR_ROOT: root } })
  assert.equal(run.status, 0, run.stdout + run.stderr)
  const browser = await launch()
  try {
    const officer = await Person.open(browser, 'data officer', undefined)
    await officer.page.goto(pathToFileURL(join(out, 'report.html')).href)
    for (const name of ['Summary', 'Estimates against the truth', 'Every number']) await officer.page.getByRole('heading', { name, exact: true }).waitFor()
    await officer.show('evaluation', { print: true })
    assert.deepEqual(officer.asked.filter(each => !each.url.startsWith('file:')), [], 'the report asks nobody')
    assert.deepEqual(officer.complaints, [])
  } finally {
    await browser.close()
  }
})
