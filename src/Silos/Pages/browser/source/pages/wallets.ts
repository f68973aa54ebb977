/** The person's wallet on this page: opened by a dialog, kept locked in the browser when they want that, and forgotten with the page. */
import type { Wallet } from '../keys/walletFile.ts'
import { phraseOf } from '../phrases.ts'
import { openWalletOfDemonstration } from './demonstration.ts'
import { make, say } from './dom.ts'

const place = 'emr-wallet'

/** Loaded only when keys are used: most pages need none. */
export const keys = (): Promise<typeof import('../keys.ts')> => import('../keys.ts')

let opened: Wallet | undefined

/** The locked wallet that this browser keeps. */
export const kept = (): string | null => localStorage.getItem(place)

/** Keeps a locked wallet, or forgets it. */
export function keep(file: string | null): void {
  if (file === null) localStorage.removeItem(place)
  else localStorage.setItem(place, file)
}

/** Asks for passphrase and, when none is kept, for the file; undefined when the person turns back. */
export async function unlock(): Promise<Wallet | undefined> {
  const shown = openWalletOfDemonstration()
  if (shown && 'seed' in shown) return { seed: (await keys()).bytesOf(shown.seed, 32), entries: shown.entries }
  return opened ?? ask()
}

/** The key of the researcher's account; undefined when the person turns back. */
export async function unlockAccount(): Promise<Uint8Array | undefined> {
  const { accountKey, bytesOf } = await keys()
  const shown = openWalletOfDemonstration()
  if (shown && 'account' in shown) return bytesOf(shown.account, 32)
  const wallet = await unlock()
  return wallet && accountKey(wallet.seed)
}

function ask(): Promise<Wallet | undefined> {
  return new Promise(resolve => {
    const file = make('input', { type: 'file', id: 'wallet-file', accept: '.json,application/json' })
    const passphrase = make('input', { type: 'password', id: 'wallet-passphrase', autocomplete: 'off', required: '' })
    const keeps = make('input', { type: 'checkbox', id: 'wallet-keep' })
    const outcome = make('div', { role: 'status' })
    const submit = make('button', { type: 'submit' }, phraseOf('Open'))
    const back = make('button', { type: 'button', class: 'quiet' }, phraseOf('Cancel'))
    const known = kept()
    const dialog = make('dialog', { 'aria-labelledby': 'wallet-title' },
      make('h2', { id: 'wallet-title' }, phraseOf('Unlock')),
      make('p', {}, phraseOf('UnlockWhy')))
    // No name on any field and no action: even a broken script sends nothing.
    const form = make('form', { method: 'dialog' },
      ...(known ? [] : [field(file, phraseOf('WalletFile'))]),
      field(passphrase, phraseOf('Passphrase')),
      ...(known ? [] : [make('label', { class: 'choice' }, keeps, make('span', {}, phraseOf('Keep')))]),
      outcome, make('div', { class: 'actions' }, submit, back))
    dialog.append(form)
    let wallet: Wallet | undefined
    back.addEventListener('click', () => dialog.close())
    dialog.addEventListener('close', () => { dialog.remove(); resolve(wallet) })
    form.addEventListener('submit', async event => {
      event.preventDefault()
      submit.disabled = true
      try {
        const text = known ?? await file.files?.[0]?.text()
        if (!text) throw new Error(phraseOf('ChooseFile'))
        wallet = await openShowing(text, passphrase.value, outcome)
        opened = wallet
        if (keeps.checked) keep(text)
        dialog.close()
      } catch (error) {
        say(outcome, error instanceof Error ? error.message : String(error), 'bad')
        passphrase.focus()
      } finally {
        submit.disabled = false
      }
    })
    document.body.append(dialog)
    dialog.showModal()
    ;(known ? passphrase : file).focus()
  })
}

/** Opens a wallet, showing how far it is. */
export async function openShowing(file: string, passphrase: string, outcome: HTMLElement): Promise<Wallet> {
  const bar = make('progress', { max: '1', value: '0', 'aria-label': phraseOf('Opening') })
  outcome.className = ''
  outcome.replaceChildren(make('div', { class: 'working' }, phraseOf('Opening'), bar))
  const { openWallet } = await keys()
  const wallet = await openWallet(file, passphrase, done => { bar.value = done })
  outcome.replaceChildren()
  return wallet
}

/** Offers bytes as a file to save. */
export function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  const link = make('a', { href: url, download: name })
  document.body.append(link)
  link.click()
  link.remove()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

export const field = (input: HTMLElement, label: string): HTMLElement => make('div', { class: 'field' }, make('label', { for: input.id }, label), input)
