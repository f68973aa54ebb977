/** Whose the seed is: the patient makes an own one in the browser and hands in its account; and another passphrase for a wallet. */
import type { Wallet } from '../../keys/walletFile.ts'
import { phraseOf } from '../../phrases.ts'
import { post } from '../api.ts'
import { recordHere, recordPath } from './commands.ts'
import { endDemonstration } from '../demonstration.ts'
import { during, make, need, say } from '../dom.ts'
import { signIn } from '../signIn.ts'
import { keep, kept, keys, save, unlock } from '../wallets.ts'

/** The passphrase that was typed twice. */
function chosen(form: HTMLFormElement): string {
  const [first, second] = [...form.querySelectorAll<HTMLInputElement>('input[type=password]')] as [HTMLInputElement, HTMLInputElement]
  if (first.value.length < 12) throw new Error(phraseOf('PassphraseShort'))
  if (first.value !== second.value) throw new Error(phraseOf('PassphrasesDiffer'))
  const passphrase = first.value
  first.value = second.value = ''
  return passphrase
}

/** Seals a wallet, showing how far it is. */
async function seal(wallet: Wallet, passphrase: string, outcome: HTMLElement): Promise<string> {
  const { sealWallet } = await keys()
  const bar = make('progress', { max: '1', value: '0', 'aria-label': phraseOf('Sealing') })
  outcome.className = ''
  outcome.replaceChildren(make('div', { class: 'working' }, phraseOf('Sealing'), bar))
  return sealWallet(wallet, passphrase, done => { bar.value = done })
}

/** The form that makes a seed of the patient's own; nothing of it leaves the browser but a public key and a chain code. */
export function wireOwnSeed(form: HTMLFormElement): void {
  const outcome = need('[data-outcome]', form), button = need<HTMLButtonElement>('button[type=submit]', form)
  form.addEventListener('submit', event => {
    event.preventDefault()
    void during(button, outcome, async () => {
      const passphrase = chosen(form)
      const before = await unlock()
      if (!before) return
      const { newWallet, writePhrase } = await keys()
      const site = before.entries.find(entry => entry.pseudonym === recordHere().pseudonym)?.site
      const own: Wallet = { seed: newWallet().seed, entries: before.entries.filter(entry => entry.site === site) }
      const file = await seal(own, passphrase, outcome)
      // Saved and written down before the site hears of it: an account whose seed is lost would lose the record.
      const words = make('ol', { class: 'phrase' }, ...writePhrase(own.seed).split(' ').map(word => make('li', {}, make('code', {}, word))))
      const download = make('button', { type: 'button', class: 'quiet' }, phraseOf('Download'))
      const sure = make('input', { type: 'checkbox', id: 'own-sure' })
      const go = make('button', { type: 'button' }, phraseOf('HandIn'))
      go.disabled = true
      let saved = false
      const ready = (): void => { go.disabled = !(saved && sure.checked) }
      download.addEventListener('click', () => { save('emr-wallet-own.json', file); saved = true; ready() })
      sure.addEventListener('change', ready)
      const said = make('div', { role: 'status' })
      go.addEventListener('click', () => void during(go, said, () => handIn(before, own, file, said)))
      outcome.className = 'notice'
      outcome.replaceChildren(
        make('p', {}, make('strong', {}, phraseOf('PhraseTitle'))), make('p', {}, phraseOf('PhraseWhy')), words,
        make('div', { class: 'actions' }, download), make('label', { class: 'choice' }, sure, make('span', {}, phraseOf('OwnSure'))), make('div', { class: 'actions' }, go), said)
    })
  })
}

async function handIn(before: Wallet, own: Wallet, file: string, said: HTMLElement): Promise<void> {
  const record = recordHere(), { site, schema, pseudonym, controller, chain, contract, nonce } = record
  const { addressOf, bytesOf, controllerKey, hexOf, patientAccountKey, payoutAccount, signTakeOver } = await keys()
  const key = controllerKey(before.seed, bytesOf(pseudonym, 32))
  if (addressOf(key) !== controller) throw new Error(phraseOf('OtherWallet'))
  say(said, phraseOf('Sending'))
  const account = payoutAccount(own.seed)
  const domain = { chainId: BigInt(chain), accessControl: contract, schemaId: schema, pseudonym: pseudonym }
  await post(`${recordPath(record)}/accounts`, {
    nonce: Number(nonce), publicKey: hexOf(account.publicKey), chainCode: hexOf(account.chainCode),
    signature: signTakeOver(domain, BigInt(nonce), account, key), accountSignature: signTakeOver(domain, BigInt(nonce), account, patientAccountKey(own.seed)),
  })
  if (kept()) keep(file)
  endDemonstration()
  sessionStorage.setItem('emr-said', phraseOf('TakenOver'))
  const next = controllerKey(own.seed, bytesOf(pseudonym, 32))
  await signIn({ address: addressOf(next), key: next, publisher: `${site}/${schema}/${pseudonym}` })
}

/** The form that seals the wallet under another passphrase. */
export function wirePassphrase(form: HTMLFormElement): void {
  const outcome = need('[data-outcome]', form), button = need<HTMLButtonElement>('button[type=submit]', form)
  form.addEventListener('submit', event => {
    event.preventDefault()
    void during(button, outcome, async () => {
      const passphrase = chosen(form)
      const wallet = await unlock()
      if (!wallet) return
      const file = await seal(wallet, passphrase, outcome)
      if (kept()) keep(file)
      save('emr-wallet.json', file)
      say(outcome, phraseOf('PassphraseChanged'), 'good')
    })
  })
}
