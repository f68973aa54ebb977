// An auditor in a real Chromium, against a market of a test that posted something false: node act.mjs challenge|demand
// The test gives the market's address, the auditor's sign-in and the batch by its environment, and looks at the chain afterwards.
import assert from 'node:assert/strict'
import { launch, Person } from '../story/browser.mjs'

const { EMR_SERVER: server, EMR_AUDITOR: auditor, EMR_BATCH: batch, EMR_OPERATOR: operator, EMR_REWARD: reward } = process.env
const browser = await launch()
try {
  const person = await Person.open(browser, 'auditor', server)
  const { page } = person
  await page.goto(`/sign-in#account=${auditor}`)
  await page.waitForURL(/\/audit$/)
  await (process.argv[2] === 'challenge' ? challenge : demand)(person)
  // A transaction that is in no block yet is a 404.
  assert.deepEqual(person.complaints.filter(line => !/status of 404/.test(line)), [])
  const key = auditor.split('=0x')[1]
  assert.ok(key.length === 64 && person.asked.every(each => !`${each.url} ${each.headers} ${each.body}`.includes(key)), 'the key was sent')
} finally {
  await browser.close()
}

async function challenge(person) {
  const { page } = person
  await person.go(`/audit?batch=${batch}`)
  await page.getByRole('button', { name: 'Check it', exact: true }).click()
  await page.getByRole('alert').getByText('adds up to more loss than the lifetime cap allows').waitFor()
  await page.getByText(`${reward} token units, half of the bond`).waitFor()
  await person.show('audit-fault')
  await page.getByRole('button', { name: 'Sign and file the challenge' }).click()
  await page.waitForURL(new RegExp(`/ledger/epochs/${batch}$`))
  await page.getByText('The ledger accepted it').waitFor()
  await page.getByText(`and got ${reward} token units`).waitFor()
  await person.show('batch-void')
  await person.go('/audit')
  await page.getByRole('button', { name: 'Show my account' }).click()
  await page.getByRole('definition').getByText(reward, { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Withdraw what is free' }).click()
  await page.getByText('What was free is now in your account.').waitFor()
  await page.getByLabel('What you found').fill('The site promises more than a record may lose.')
  await page.getByRole('button', { name: 'Sign and record it' }).click()
  await page.getByText('The finding is recorded.').waitFor()
  await person.show('audit-finding')
  assert.ok(person.asked.every(each => !each.body.includes('promises more')), 'the finding itself was sent')
}

async function demand(person) {
  const { page } = person
  await person.go(`/ledger/epochs/${batch}`)
  await page.getByLabel('Position in it').fill('3')
  await page.getByRole('button', { name: 'Sign and demand it' }).click()
  await page.getByText('The leaf is demanded.').waitFor()
  await page.getByText('waits for an answer').waitFor()
  await person.show('batch-demanded')
  const moved = await fetch(`${server}/api/v1/ledger/embedded/clock`, {
    method: 'POST', headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json' }, body: '{"seconds":61}',
  })
  assert.equal(moved.status, 204)
  // The ledger's time moves with its next block.
  for (let i = 0; await page.getByRole('button', { name: 'Void the batch' }).count() === 0; i++) {
    assert.ok(i < 100, 'the demand never became overdue')
    await person.go(`/ledger/epochs/${batch}`)
  }
  await page.getByRole('button', { name: 'Void the batch' }).click()
  await page.getByText('a demanded leaf was not opened in time').waitFor()
  await person.show('batch-withheld')
}
