// The whole story in a real Chromium against a real market: visitor, patient, researcher, site and auditor.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { launch, Person } from './browser.mjs'
import { startMarket } from './market.mjs'

const keys = await import(pathToFileURL(process.env.EMR_BROWSER_BUNDLE).href)
const passphrase = 'correct horse battery staple 7'
let market, browser, info, schema
const people = []
const secrets = []

before(async () => {
  market = await startMarket()
  browser = await launch()
  info = await market.get('/market')
  schema = info.schemas.find(each => each.name === 'synthetic')
}, { timeout: 400_000 })

after(async () => {
  await browser?.close()
  await market?.stop()
})

const person = async (name, options) => {
  const opened = await Person.open(browser, name, market.url, options)
  people.push(opened)
  return opened
}

async function signInWithWallet({ page }, file, as) {
  await page.goto('/sign-in')
  await page.getByRole('button', { name: 'Unlock and sign in' }).waitFor()
  await page.getByLabel('I am').selectOption(as)
  await page.getByLabel('Wallet file').setInputFiles(file)
  await page.locator('#passphrase').fill(passphrase)
  await page.getByLabel('Keep the locked wallet in this browser').check()
  await page.getByRole('button', { name: 'Unlock and sign in' }).click()
}

async function signInWithPassword({ page }, account, back) {
  await page.goto(back)
  await page.getByRole('textbox', { name: 'Name' }).fill(account.name)
  await page.getByRole('textbox', { name: 'Password' }).fill(account.password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

test('Visitor_sees_market_catalogue_plan_and_ledger', async () => {
  const visitor = await person('visitor')
  for (const [path, name, print] of [['/', 'home', false], [`/catalogue/${schema.id}`, 'catalogue', true], ['/ledger', 'ledger', false], ['/sign-in', 'sign-in', false], ['/plan', 'plan-empty', false]]) {
    const answer = await visitor.go(path)
    assert.equal(answer.status(), 200, path)
    await visitor.show(name, { print })
  }
  assert.equal((await visitor.go('/nothing-here')).status(), 404)
  await visitor.page.getByRole('heading', { name: 'There is no such page' }).waitFor()
  await visitor.show('not-found')
  visitor.complaints = visitor.complaints.filter(each => !each.includes('/nothing-here'))
})

test('Refusals_are_pages_that_everybody_can_read', async () => {
  const visitor = await person('refused')
  await visitor.go('/ledger/epochs/no-hash')
  await visitor.page.getByRole('alert').waitFor()
  await visitor.show('batch-unknown')
  await signInWithPassword(visitor, { name: 'nobody-of-this-name', password: 'wrong wrong wrong' }, '/sign-in')
  await visitor.page.getByText('Name, password or code are wrong').waitFor()
  await visitor.show('sign-in-refused')
})

test('Sign_in_that_has_ended_says_so_and_leads_back', async () => {
  const visitor = await person('late')
  await visitor.context.addCookies([{ name: 'emr-session', value: 'of-yesterday', url: market.url }])
  await visitor.go('/requests')
  await visitor.page.getByText('Your sign-in has ended').waitFor()
  await visitor.show('sign-in-ended')
})

test('Visitor_plans_before_paying_and_is_told_what_limits', async () => {
  const visitor = await person('planner')
  await visitor.go(`/plan?schema=${schema.id}`)
  const { page } = visitor
  await page.getByLabel('Statistic', { exact: true }).fill('frequency:diabetes')
  // The plan follows what is typed, without a button.
  await page.getByLabel('How much').fill('0.05')
  await page.getByRole('heading', { name: 'Options' }).waitFor()
  await page.getByText('recommended').first().waitFor()
  const cheapest = await page.locator('#plan .notice.good').innerText()
  await page.getByLabel('How much').fill('0.1')
  await page.waitForFunction(before => document.querySelector('#plan .notice.good') && document.querySelector('#plan .notice.good').innerText !== before, cheapest)
  await page.getByLabel('How much').fill('0.0001')
  await page.getByText('No grade meets this wish').waitFor()
  await page.getByLabel('How much').fill('0.05')
  await page.getByText('The cheapest that will do').waitFor()
  await visitor.show('plan', { print: true })
  // A table tells the error of its rates; one cell has fewer records than all.
  await visitor.go(`/plan?schema=${schema.id}&statistic=${encodeURIComponent('table:diabetes,disposition')}&wish=records&amount=2000`)
  await page.getByRole('columnheader', { name: 'Rates in groups ±' }).waitFor()
  const cell = await page.locator('#cell option').nth(1).getAttribute('value')
  await page.locator('#cell').selectOption(cell)
  await page.getByText(`records with ${cell}.`).waitFor()
  await visitor.show('plan-cell')
  await visitor.go(`/plan?schema=${schema.id}&statistic=frequency:diabetes&wish=budget&amount=0.5`)
  await page.getByText('A whole number from 1 is needed here.').first().waitFor()
  await visitor.go(`/plan?schema=${schema.id}&statistic=${encodeURIComponent('<script>alert(1)</script>')}&wish=records&amount=100`)
  assert.equal(await visitor.page.locator('main script').count(), 0)
})

test('Pages_for_others_lead_to_the_sign_in', async () => {
  const visitor = await person('stranger')
  for (const path of ['/requests', '/audit', `/sites/${info.sites[0]}`, `/records/${info.sites[0]}/${schema.id}/${'a'.repeat(64)}`]) {
    await visitor.go(path)
    assert.match(visitor.page.url(), /\/sign-in\?/, path)
  }
})

test('Staff_review_load_and_read_errors_by_line', async () => {
  const account = await market.operator('POST', '/accounts', { name: `desk-${Date.now()}`, role: 'staff', site: info.sites[0], twoFactor: false })
  const staff = await person('staff')
  await signInWithPassword(staff, { name: account.name, password: 'wrong wrong wrong' }, '/site')
  await staff.page.getByText('Name, password or code are wrong').waitFor()
  await signInWithPassword(staff, account, '/site')
  await staff.page.getByRole('heading', { name: `Site ${info.sites[0]}` }).waitFor()
  await staff.show('site', { print: true })
  const bad = join(process.env.EMR_END_TO_END, 'bad.csv')
  const header = (await market.get(`/schemas/${schema.id}`)).attributes.map(each => each.name).join()
  writeFileSync(bad, `${header}\nnot,enough\n`)
  await staff.page.getByLabel('File', { exact: true }).setInputFiles(bad)
  await staff.page.getByRole('button', { name: 'Check and load' }).click()
  await staff.page.getByText('The file is refused. Nothing was taken.').first().waitFor()
  await staff.show('site-errors')
  await staff.page.getByLabel('Record', { exact: true }).fill('3')
  await staff.page.getByLabel('Passphrase for the handover').fill('between desk and home 3')
  const handed = staff.page.waitForEvent('download')
  await staff.page.getByRole('button', { name: 'Make the wallet file' }).click()
  const wallet = await keys.openWallet(readFileSync(await (await handed).path(), 'utf8'), 'between desk and home 3')
  assert.equal(wallet.entries[0].schemaId, schema.id)
  await staff.page.getByText('is saved as a file').waitFor()
  await staff.go(`/sites/${info.sites[1]}`)
  assert.match(staff.page.url(), /\/sign-in/, 'staff of one site enter another')
  await staff.page.getByText('not as somebody who may see that page').waitFor()
  await staff.show('sign-in-denied')
})

test('Staff_load_resources_of_FHIR_and_carry_out_Consents', { timeout: 240_000 }, async () => {
  const staff = people.find(each => each.name === 'staff'), { page } = staff
  const file = (value, name) => ({ name, mimeType: 'application/json', buffer: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)) })
  const synthea = info.schemas.find(each => each.name === 'synthea').id
  await staff.go(`/sites/${info.sites[0]}/${synthea}`)
  const bundle = {
    resourceType: 'Bundle', type: 'transaction',
    entry: Array.from({ length: 7 }, (_, i) => ({ fullUrl: `urn:uuid:p${i}`, resource: { resourceType: 'Patient', id: `p${i}`, gender: i === 4 ? 'robot' : i % 2 ? 'male' : 'female', birthDate: `19${50 + i}-02-03` } }))
      .concat({ fullUrl: 'urn:uuid:e0', resource: { resourceType: 'Encounter', id: 'e0', status: 'finished', class: { code: 'EMER' }, subject: { reference: 'urn:uuid:p0' }, period: { start: '2024-05-06T07:08:09Z' } } },
        { fullUrl: 'urn:uuid:o0', resource: { resourceType: 'Observation', id: 'o0', status: 'final', subject: { display: 'Ann Doe' } } }),
  }
  await page.getByLabel('What the file holds').selectOption('synthea')
  await page.getByLabel('File', { exact: true }).setInputFiles(file(bundle, 'bundle.json'))
  await page.getByRole('button', { name: 'Check and load' }).click()
  const report = page.getByRole('region', { name: 'What was left out' })
  await report.waitFor({ timeout: 60_000 })
  await page.getByText(/^[67] records of [67] persons were taken/).waitFor()
  const [taken] = (await page.getByText(/records of .* persons were taken/).innerText()).match(/\d+/)
  assert.equal((await page.locator('.facts dt', { hasText: /^Records$/ }).locator('xpath=following-sibling::dd').innerText()).split('\n')[0], taken)
  const left = await report.locator('tbody tr').allInnerTexts()
  assert.ok(left.some(line => /:1, byte \d+, resource \d+ of the file/.test(line) && line.includes('Observation')), left.join('\n'))
  assert.ok(!(await page.content()).includes('Ann Doe'))
  await staff.show('site-fhir')
  await page.getByLabel('What the file holds').selectOption('synthea')
  await page.getByLabel('File', { exact: true }).setInputFiles(file('{"resourceType":"Bundle"', 'bundle.json'))
  await page.getByRole('button', { name: 'Check and load' }).click()
  await page.getByText('The file is refused. Nothing was taken.').first().waitFor()

  // Consents of people whose records were loaded from a file, by their ids there.
  await staff.go(`/sites/${info.sites[0]}/${schema.id}`)
  const [header, ...rows] = readFileSync(join(market.folder, 'people', `${info.sites[0]}.csv`), 'utf8').split('\n')
  const column = header.trim().split(',').indexOf('person_id'), persons = [...new Set(rows.filter(row => row).map(row => row.split(',')[column]))].slice(-3)
  const consent = (person, more) => JSON.stringify({
    resourceType: 'Consent', status: 'active', scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'research' }] },
    category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentcategorycodes', code: 'rsdid' }] }], patient: { reference: `Patient/${person}` },
    policyRule: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'OPTIN' }] }, ...more,
  })
  const lines = [consent(persons[0]), consent(persons[1], { status: 'inactive' }), consent(persons[2], { provision: { actor: [{}] } }), consent('999999999')]
  await page.locator('#consents-file').setInputFiles({ ...file(lines.join('\n'), 'Consent.ndjson'), mimeType: 'application/fhir+ndjson' })
  await page.getByLabel('Price for those who have none yet').selectOption('1')
  await page.getByRole('button', { name: 'Check and carry out' }).click()
  await page.getByText('4 Consents were read: 1 set somebody’s settings, 1 paused and 0 withdrew somebody').waitFor({ timeout: 60_000 })
  const refused = await page.getByRole('region', { name: 'These were not carried out.' }).locator('tbody tr').allInnerTexts()
  assert.equal(refused.length, 2)
  assert.ok(refused.some(line => line.startsWith('3') && line.includes('Consent.provision.actor')) && refused.some(line => line.startsWith('4') && line.includes('not-found')), refused.join('\n'))
  await staff.show('site-consents')
})

let sold
test('Patient_reads_what_settings_mean_and_proves_every_use', async () => {
  sold = await soldWallet()
  const patient = await person('patient')
  await signInWithWallet(patient, sold.file, sold.site)
  // Who has several records is asked which.
  if (sold.records > 1) await patient.page.getByRole('button', { name: sold.pseudonym.slice(0, 12) }).click({ timeout: 60_000 })
  await patient.page.waitForURL(/\/records\//, { timeout: 60_000 })
  await patient.page.locator('#explanation li').first().waitFor()
  const before = await patient.page.locator('#explanation').innerText()
  await patient.page.getByLabel('Private answers').selectOption('0')
  await patient.page.getByLabel('Moderate answers').selectOption('2')
  await patient.page.getByLabel('Low answers').selectOption('3')
  assert.notEqual(await patient.page.locator('#explanation').innerText(), before)
  assert.match(await patient.page.locator('#explanation').innerText(), /reserved[\s\S]*out of a crowd of/)
  await patient.page.getByRole('button', { name: 'Check the proof' }).first().click()
  await patient.page.getByText(/Verified against block [\d,]+/).first().waitFor()
  await patient.page.getByRole('button', { name: 'See which payments this wallet spends' }).click()
  await patient.page.locator('#wallet-passphrase').fill(passphrase)
  await patient.page.getByRole('button', { name: 'Unlock', exact: true }).click()
  const told = await patient.page.getByText(/This wallet has the key of \d+ of \d+ payments\./).innerText()
  const [mine, all] = told.match(/\d+/g).map(Number)
  assert.ok(all > 0 && mine === all, told)
  await patient.page.getByText('Where it stands on the ledger').first().click()
  assert.equal(await patient.page.locator('[data-payee]').first().innerText(), 'yes: this wallet spends it')
  await patient.show('patient', { print: true })
})

test('Patient_signs_a_policy_in_the_browser_and_pauses', async () => {
  const patient = people.find(each => each.name === 'patient')
  await patient.page.reload()
  await patient.page.getByLabel('Private answers').selectOption('0')
  await patient.page.getByLabel('Sales per round, at most').fill('3')
  await patient.page.getByRole('button', { name: 'Sign and save' }).click()
  await patient.page.getByRole('heading', { name: 'Unlock your wallet' }).waitFor()
  await patient.page.locator('#wallet-passphrase').fill('a wrong passphrase')
  await patient.page.getByRole('button', { name: 'Unlock', exact: true }).click()
  await patient.page.getByText('The wallet does not open').waitFor({ timeout: 60_000 })
  await patient.accessible('the wallet dialog')
  await patient.page.screenshot({ path: join(process.env.EMR_END_TO_END, 'screenshots', 'wallet-dialog.png') })
  await patient.page.locator('#wallet-passphrase').fill(passphrase)
  await patient.page.getByRole('button', { name: 'Unlock', exact: true }).click()
  await patient.page.getByText('Your command was signed here and carried out.').waitFor({ timeout: 60_000 })
  assert.equal(await patient.page.getByLabel('Sales per round, at most').inputValue(), '3')
  await patient.page.getByRole('button', { name: 'Pause' }).click()
  await patient.page.locator('#wallet-passphrase').fill(passphrase)
  await patient.page.getByRole('button', { name: 'Unlock', exact: true }).click()
  await patient.page.getByRole('button', { name: 'Take part again' }).waitFor({ timeout: 60_000 })
})

test('Patient_takes_settings_as_a_Consent_and_brings_one_in_their_place', { timeout: 240_000 }, async () => {
  const patient = people.find(each => each.name === 'patient'), { page } = patient
  const download = async () => {
    const saved = page.waitForEvent('download')
    await page.getByRole('link', { name: 'Download as a FHIR Consent' }).click()
    return JSON.parse(readFileSync(await (await saved).path(), 'utf8'))
  }
  const bring = async (text, name = 'consent.json') => {
    await page.getByLabel('Consent, as JSON of FHIR R4').setInputFiles({ name, mimeType: 'application/json', buffer: Buffer.from(text) })
    await page.getByRole('button', { name: 'See what it becomes' }).click()
  }
  const taken = await download()
  assert.deepEqual([taken.resourceType, taken.status], ['Consent', 'inactive'], 'the record is paused')

  // What no policy can say is refused where it stands; so is what is no Consent.
  await bring(JSON.stringify({ ...taken, status: 'active', provision: { ...taken.provision, actor: [{}], dataPeriod: { start: '2020' } } }))
  const alert = page.getByRole('alert')
  await alert.getByText('a policy does not choose who asks').waitFor()
  await alert.getByText('Consent.provision.dataPeriod, not-supported').waitFor()
  await patient.show('consent-refused')
  await bring('{"resourceType":"Consent",\n"status":"active" "scope":{}}')
  await alert.getByText('line 2, invalid').waitFor()
  await bring(JSON.stringify({ ...taken, text: { status: 'generated', div: 'x'.repeat(70_000) } }))
  await alert.getByText('at most 64 KiB').waitFor()

  // A refusal of all is a withdrawal: shown, and put aside.
  await bring(JSON.stringify({ ...taken, status: 'rejected' }))
  await page.getByRole('heading', { name: 'This Consent withdraws your record for ever' }).waitFor()
  await page.getByRole('button', { name: 'Put it aside' }).click()
  assert.equal(await page.getByRole('heading', { name: 'This Consent withdraws' }).count(), 0)
  assert.equal(await page.evaluate(() => document.activeElement.id), 'consent-file')

  // Nothing but Low answers, up to an end, and no asking price: that stays as the page has it.
  const year = new Date().getUTCFullYear() + 1
  const permits = taken.provision.provision.filter(each => ['public', 'low'].includes(each.class?.[0].code))
  const changed = {
    ...taken, status: 'active', extension: undefined, modifierExtension: undefined, provision: { ...taken.provision, period: { end: `${year}-06-30` }, provision: permits },
  }
  assert.ok(permits.length > 0)
  await bring(JSON.stringify(changed))
  await page.getByRole('heading', { name: 'This Consent becomes these settings' }).waitFor()
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'This Consent becomes these settings')
  const shown = page.locator('form[data-consent] .notice')
  await shown.getByText(`30 June ${year}`).waitFor()
  await shown.getByText('3 (not in the Consent: as chosen further up on this page)').waitFor()
  await patient.show('consent-preview')
  await page.getByRole('button', { name: 'Sign and save these settings' }).click()
  await page.locator('#wallet-passphrase').fill(passphrase)
  await page.getByRole('button', { name: 'Unlock', exact: true }).click()
  await page.getByRole('button', { name: 'Pause' }).waitFor({ timeout: 60_000 })
  assert.equal(await page.getByLabel('Until').inputValue(), `${year}-06-30`)
  assert.equal(await page.getByLabel('Private answers').inputValue(), '0')
  assert.equal(await page.getByLabel('Moderate answers').inputValue(), '0')
  const now = await download()
  assert.deepEqual([now.status, now.provision.period.end], ['active', `${year}-06-30`])
  const allowed = now.provision.provision ?? []
  assert.ok(allowed.every(each => (each.class ?? each.code).every(coding => !JSON.stringify(coding).includes('private'))))
})

test('Researcher_makes_a_wallet_funds_a_request_and_reads_results', { timeout: 300_000 }, async () => {
  const researcher = await person('researcher')
  await researcher.go('/sign-in')
  await researcher.page.locator('#new-passphrase').fill(passphrase)
  await researcher.page.locator('#new-passphrase-again').fill(passphrase)
  const saving = researcher.page.waitForEvent('download', { timeout: 60_000 })
  await researcher.page.getByRole('button', { name: 'Make the wallet' }).click()
  await researcher.page.getByRole('button', { name: 'Save the wallet file' }).click({ timeout: 60_000 })
  const phrase = (await researcher.page.locator('.phrase li').allInnerTexts()).join(' ')
  const file = join(process.env.EMR_END_TO_END, 'researcher.json')
  await (await saving).saveAs(file)
  const wallet = await keys.openWallet(readFileSync(file, 'utf8'), passphrase)
  assert.deepEqual(keys.readPhrase(phrase), wallet.seed)
  keep(wallet.seed, keys.accountKey(wallet.seed), phrase)
  await signInWithWallet(researcher, file, '')
  await researcher.page.waitForURL(/\/requests$/, { timeout: 60_000 })
  await researcher.page.getByRole('button', { name: 'Get demonstration money' }).click()
  await researcher.page.getByText('1,000,000,000').first().waitFor()
  await researcher.show('requests-empty')
  await researcher.go(`/requests/new?schema=${schema.id}`)
  await researcher.page.getByLabel('Title', { exact: true }).fill('Diabetes and stay')
  await researcher.page.getByLabel('Why you ask, for patients').fill('To plan care after the hospital.')
  await researcher.page.getByLabel('Statistics, one per line').fill('frequency:diabetes\nmean:length_of_stay')
  await researcher.page.getByLabel('Records wanted').fill('400')
  await researcher.page.getByRole('heading', { name: 'What this buys' }).waitFor()
  await researcher.page.getByRole('button', { name: 'Write the terms' }).click()
  await researcher.page.getByRole('heading', { name: 'The terms' }).waitFor()
  await researcher.show('request-terms')
  await researcher.page.getByRole('button', { name: 'Sign and fund' }).click()
  await researcher.page.locator('#wallet-passphrase').fill(passphrase)
  await researcher.page.getByRole('button', { name: 'Unlock', exact: true }).click()
  await researcher.page.waitForURL(/\/requests\/[0-9a-f]{64}$/, { timeout: 120_000 })
  await researcher.page.getByRole('heading', { name: 'How to cite' }).waitFor({ timeout: 180_000 })
  await researcher.show('request-results', { print: true })
  const download = async name => {
    const saved = researcher.page.waitForEvent('download')
    await researcher.page.getByRole('link', { name, exact: true }).click()
    return (await saved).path()
  }
  assert.match(readFileSync(await download('CSV'), 'utf8'), /frequency:diabetes/)
  assert.match(JSON.parse(readFileSync(await download('Metadata of the CSV'), 'utf8')).url, /^request-[0-9a-f]{8}\.csv$/)
  assert.match(readFileSync(await download('CITATION.cff'), 'utf8'), /^title: "Diabetes and stay"$/m)
  const bundle = JSON.parse(readFileSync(await download('HL7 FHIR'), 'utf8'))
  assert.deepEqual([bundle.resourceType, bundle.type], ['Bundle', 'collection'])
  const report = join(process.env.EMR_END_TO_END, 'report.html')
  writeFileSync(report, readFileSync(await download('Report with plots')))
  // Not one of those who ask this server.
  const reader = await Person.open(browser, 'reader of the report', market.url)
  await reader.page.goto(pathToFileURL(report).href)
  await reader.page.getByRole('heading', { name: 'Before you use this' }).waitFor()
  await reader.show('request-report', { print: true })
  assert.deepEqual(reader.asked.filter(each => !each.url.startsWith('file:')), [], 'the report asks nobody')
  await reader.close()
  await researcher.go('/requests')
  await researcher.show('requests')
})

test('Auditor_opens_a_leaf_follows_a_pseudonym_and_replays_a_request', { timeout: 300_000 }, async () => {
  const account = await market.operator('POST', '/accounts', { name: `auditor-${Date.now()}`, role: 'auditor', twoFactor: false })
  const auditor = await person('auditor')
  await signInWithPassword(auditor, account, '/audit')
  await auditor.page.getByRole('heading', { name: 'Audit' }).waitFor()
  await auditor.page.getByRole('button', { name: 'Compute it again' }).click()
  await auditor.page.getByText('Everything is as it must be').waitFor({ timeout: 60_000 })
  await auditor.page.getByLabel('Pseudonym').fill(sold.pseudonym)
  await auditor.page.getByRole('button', { name: 'Follow' }).click()
  await auditor.page.getByText('step by step').waitFor({ timeout: 60_000 })
  await auditor.show('audit', { print: true })
  for (const kind of ['epochs', 'rounds', 'deliveries']) {
    const { items: batches } = await market.get(`/ledger/${kind}`)
    // All but the epoch that was planted for auditors.
    const right = batches.find(batch => batch.id !== plantedEpoch())
    await auditor.go(`/ledger/${kind}/${right.id}`)
    await auditor.show(kind)
    await auditor.page.getByRole('link', { name: 'Check this batch' }).click()
    assert.equal(await auditor.page.getByLabel('Batch').inputValue(), right.id)
    await auditor.page.getByRole('button', { name: 'Check it', exact: true }).click()
    await auditor.page.getByText(/its file, its roots and what it follows from agree/).waitFor()
    await auditor.page.getByText(/Challenges that were tried|the window for challenges is over/).waitFor()
  }
  await auditor.show('audit-batch')
  // The demonstration leaves an epoch open for minutes: whoever comes by can demand a leaf of it.
  const { items: epochs } = await market.get('/ledger/epochs')
  const open = epochs.find(epoch => epoch.status === 'posted' && epoch.id !== plantedEpoch())
  assert.ok(open && open.demandUntilSeconds - open.postedSeconds >= 300, 'no epoch is open for demands')
  const { items } = await market.get('/ledger/deliveries')
  await auditor.go(`/ledger/deliveries/${items[0].id}?position=0`)
  await auditor.page.getByRole('button', { name: 'Check it in this browser' }).click()
  await auditor.page.getByText(/Verified against block/).waitFor()
  await auditor.show('delivery')
})

test('Links_of_the_demonstration_enter_as_each_kind_of_user', async () => {
  for (const [who, place] of [['patient', /\/records\//], ['researcher', /\/requests$/], ['site staff', /\/sites\//], ['auditor', /\/audit\?batch=[0-9a-f]{64}$/]]) {
    const visitor = await person(`demonstration ${who}`)
    await visitor.page.goto(market.links[who])
    await visitor.page.waitForURL(place)
    await visitor.page.getByText('Try this').waitFor()
    await visitor.show(`demonstration-${who.replace(' ', '-')}`)
    if (who === 'auditor') {
      await visitor.page.getByRole('button', { name: 'Show my account' }).click()
      await visitor.page.getByText('Registered as auditor').waitFor()
      await visitor.page.getByRole('definition').getByText('yes', { exact: true }).waitFor()
      await findOut(visitor)
    }
    if (who === 'researcher') {
      const pages = await visitor.page.locator('tbody a').evaluateAll(links => links.map(link => link.getAttribute('href')))
      assert.ok(pages.length >= 5, 'five requests stand in different states')
      for (const [i, path] of pages.entries()) {
        await visitor.go(path)
        await visitor.page.getByRole('heading', { name: 'What happened' }).waitFor()
        await visitor.show(`demonstration-request-${i}`)
      }
      await visitor.go(pages[pages.length - 1])
      await visitor.show('demonstration-results')
    }
    const secret = market.links[who].split(/[=/:]/).find(part => /^[0-9a-f]{64}$/.test(part) && who === 'researcher')
    if (secret) keep(keys.bytesOf(secret))
  }
})

// After the links of the demonstration, whose key of this patient commands nothing from here on.
test('Patient_changes_the_passphrase_and_makes_a_seed_that_only_the_patient_has', { timeout: 300_000 }, async () => {
  const patient = people.find(each => each.name === 'patient'), { page } = patient, next = 'a newer passphrase 5', own = 'the passphrase of the own 6'
  keep(next, own)
  const unlockWith = async words => {
    await page.locator('#wallet-passphrase').fill(words)
    await page.getByRole('button', { name: 'Unlock', exact: true }).click()
  }
  await page.getByText('Change the passphrase', { exact: true }).click()
  await page.locator('#next-passphrase').fill(next)
  await page.locator('#next-passphrase-again').fill(next)
  const sealed = page.waitForEvent('download', { timeout: 90_000 })
  await page.getByRole('button', { name: 'Seal and save' }).click()
  await unlockWith(passphrase)
  const again = await keys.openWallet(readFileSync(await (await sealed).path(), 'utf8'), next)
  await page.getByText('saved under the new passphrase').waitFor()
  await page.reload()
  await page.getByText('Make a seed of your own', { exact: true }).click()
  await page.locator('#own-passphrase').fill(own)
  await page.locator('#own-passphrase-again').fill(own)
  await page.getByRole('button', { name: 'Make the new wallet' }).click()
  await unlockWith(next)
  const saved = page.waitForEvent('download', { timeout: 90_000 })
  await page.getByRole('button', { name: 'Save the wallet file' }).click({ timeout: 90_000 })
  const wallet = await keys.openWallet(readFileSync(await (await saved).path(), 'utf8'), own)
  assert.notDeepEqual(wallet.seed, again.seed)
  assert.deepEqual(wallet.entries, again.entries)
  keep(wallet.seed, keys.patientAccountKey(wallet.seed), keys.controllerKey(wallet.seed, keys.bytesOf(sold.pseudonym)))
  assert.ok(await page.getByRole('button', { name: 'Hand it in' }).isDisabled())
  await page.getByLabel('The file is saved').check()
  await page.getByRole('button', { name: 'Hand it in' }).click()
  await page.getByText('Only your new wallet commands this record now.').waitFor({ timeout: 60_000 })
  await page.getByText('Only you have the seed of your wallet.').waitFor()

  // The new wallet is the one that this browser keeps, and it commands.
  await page.getByRole('button', { name: 'Pause' }).click()
  await unlockWith(own)
  await page.getByRole('button', { name: 'Take part again' }).waitFor({ timeout: 60_000 })

  // Who has the own seed signs the ledger's revocation of every pseudonym that the person has at the site.
  page.once('dialog', dialog => dialog.accept())
  const posted = page.waitForRequest(request => request.method() === 'POST' && request.url().endsWith('/commands'))
  await page.getByRole('button', { name: 'Withdraw for ever' }).click()
  await unlockWith(own)
  const { revocations } = (await posted).postDataJSON()
  assert.deepEqual(revocations.map(each => each.pseudonym).sort(), wallet.entries.map(entry => entry.pseudonym).sort())
  assert.equal(new Set(revocations.map(each => each.signature)).size, wallet.entries.length)
  await page.getByText('withdrawn', { exact: false }).first().waitFor({ timeout: 60_000 })
})

test('Keyboard_alone_reaches_the_content_and_computes_a_plan', async () => {
  const typist = await person('typist')
  await typist.go(`/plan?schema=${schema.id}`)
  const { page } = typist
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content')
  await page.keyboard.press('Enter')
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main')
  const reach = async id => {
    for (let i = 0; i < 40; i++) {
      if (await page.evaluate(wanted => document.activeElement.id === wanted || document.activeElement.textContent.trim() === wanted, id)) return
      await page.keyboard.press('Tab')
    }
    assert.fail(`${id} is not reached by Tab`)
  }
  await reach('amount')
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle)
  assert.notEqual(ring, 'none', 'the focus is not seen')
  await page.keyboard.type('0.05')
  await reach('Compute the plan')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Options' }).waitFor()
})

test('Without_scripts_a_visitor_plans_and_staff_sign_in', async () => {
  const account = await market.operator('POST', '/accounts', { name: `plain-${Date.now()}`, role: 'staff', site: info.sites[0], twoFactor: false })
  const plain = await person('plain', { javaScriptEnabled: false })
  await plain.page.goto(`/plan?schema=${schema.id}&statistic=frequency:diabetes&wish=records&amount=500`)
  await plain.page.getByRole('heading', { name: 'Options' }).waitFor()
  await signInWithPassword(plain, account, '/site')
  await plain.page.getByRole('heading', { name: `Site ${info.sites[0]}` }).waitFor()
})

test('Nothing_secret_left_any_browser_and_no_other_host_was_asked', () => {
  const asked = people.flatMap(each => each.asked)
  assert.ok(asked.length > 100)
  const host = new URL(market.url).host
  const others = asked.filter(each => !each.url.startsWith('blob:') && !each.url.startsWith('data:') && new URL(each.url).host !== host)
  assert.deepEqual(others.map(each => each.url), [])
  assert.ok(secrets.length >= 6)
  for (const secret of secrets) {
    const found = asked.find(each => [each.url, each.headers, each.body].some(text => text.toLowerCase().includes(secret) || decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, '%25')).toLowerCase().includes(secret)))
    assert.equal(found?.url, undefined, 'a secret was sent')
  }
})

test('No_page_complained_under_its_content_policy', () => {
  assert.deepEqual(people.flatMap(each => each.complaints.filter(line => !/status of 4\d\d/.test(line))), [])
})

// Last, since the engines end with the server. The chain's clock was moved ahead while the market was filled, and time must never go back.
test('Demonstration_goes_on_in_its_folder_after_it_was_stopped_and_after_it_was_killed', { timeout: 400_000 }, async () => {
  const stable = () => ({ patient: market.links.patient, researcher: market.links.researcher })
  const standing = async () => ({ requests: (await market.get('/ledger/requests')).items.map(each => each.requestId), sites: (await market.get('/market')).sites })
  const links = stable(), before = await standing()
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    const { nowSeconds } = await market.get('/market'), challenged = plantedEpoch()
    await market.end(signal)
    await market.start()
    assert.deepEqual(stable(), links, `other people after ${signal}`)
    assert.deepEqual(await standing(), before, `something was done again after ${signal}`)
    const later = (await market.get('/market')).nowSeconds
    // A killed node has lost the blocks of its last second.
    assert.ok(later >= nowSeconds - 5, `the ledger's clock went back by ${nowSeconds - later} s after ${signal}`)
    assert.equal(plantedEpoch() === challenged, signal === 'SIGKILL', 'a challenged epoch makes room for another one')
    const researcher = await person(`researcher after ${signal}`)
    await researcher.page.goto(market.links.researcher)
    await researcher.page.getByText('Try this').waitFor()
    assert.ok(await researcher.page.locator('tbody a').count() >= 5)
    const auditor = await person(`auditor after ${signal}`)
    await auditor.page.goto(market.links.auditor)
    await auditor.page.getByText('Try this').waitFor()
    assert.equal(await auditor.page.getByLabel('Batch').inputValue(), plantedEpoch())
  }
})

/** The epoch that the auditor's link of the demonstration leads to. */
function plantedEpoch() {
  return /batch=([0-9a-f]{64})$/.exec(new URL(market.links.auditor).searchParams.get('returnUrl'))[1]
}

/** Finds the planted epoch out and has it voided. */
async function findOut(auditor) {
  const { page } = auditor
  assert.equal(await page.getByLabel('Batch').inputValue(), plantedEpoch())
  await page.getByRole('button', { name: 'Check it', exact: true }).click()
  await page.getByRole('alert').getByText('One pseudonym stands at two places').waitFor()
  await auditor.show('demonstration-fault')
  await page.getByRole('button', { name: 'Sign and file the challenge' }).click()
  await page.getByText('The ledger accepted it').waitFor({ timeout: 120_000 })
  await page.getByText('one pseudonym stands at two places.').waitFor()
  await auditor.show('demonstration-void')
}

/** Remembers what must never be sent, in the forms in which it could be. */
function keep(...values) {
  for (const value of values) {
    if (typeof value === 'string') secrets.push(value.toLowerCase())
    else secrets.push(keys.hexOf(value), Buffer.from(value).toString('base64').toLowerCase())
  }
}

/** The wallet of the demonstration's patient, whose record was sold, sealed as a site hands it out. */
async function soldWallet() {
  const [site, schemaId, number, seed, pseudonyms] = new URL(market.links.patient).hash.replace('#patient=', '').split('/')
  const wallet = { seed: keys.bytesOf(seed, 32), entries: pseudonyms.split(',').map(pseudonym => ({ site: Number(number), schemaId, pseudonym })) }
  const { pseudonym } = wallet.entries[0]
  keep(passphrase, wallet.seed, keys.controllerKey(wallet.seed, keys.bytesOf(pseudonym)))
  const file = join(process.env.EMR_END_TO_END, 'patient.json')
  writeFileSync(file, await keys.sealWallet(wallet, passphrase))
  return { file, pseudonym, site, records: wallet.entries.length }
}
