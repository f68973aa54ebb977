/** Signing in with a wallet (EIP-4361), and making or restoring one. */
import type { Wallet } from '../keys/walletFile.ts'
import { phraseOf } from '../phrases.ts'
import { get, post } from './api.ts'
import { endDemonstration, openAccount, readLink } from './demonstration.ts'
import { during, make, need, say } from './dom.ts'
import { keep, kept, keys, openShowing, save } from './wallets.ts'

interface Signed { readonly address: string; readonly key: Uint8Array; readonly publisher?: string }

/** Signs in by a key, and goes to the page that was wanted. */
export async function signIn(who: Signed): Promise<void> {
  const { signInFault, signText } = await keys()
  const { message } = await post<{ message: string }>('/sign-in/challenges', { address: who.address, ...(who.publisher ? { publisher: who.publisher } : {}) })
  const fault = signInFault(message, {
    host: location.host, origin: location.origin, address: who.address, ...(who.publisher ? { resource: `urn:emrmarket:publisher:${who.publisher}` } : {}),
  })
  if (fault) throw new Error(phraseOf('RefusedToSign', fault))
  await post('/sign-in?cookie=true', { message, signature: signText(message, who.key) })
  const wanted = new URLSearchParams(location.search).get('returnUrl')
  // Only a path of this host: an address of another would be an open redirect.
  location.assign(wanted && /^\/[^/\\]/.test(wanted) ? wanted : who.publisher ? '/record' : '/requests')
}

/** The wallet form: patients name their site, researchers do not. */
export function wireSignIn(form: HTMLFormElement): void {
  const outcome = need('[data-outcome]', form), button = need<HTMLButtonElement>('button[type=submit]', form)
  const file = need<HTMLInputElement>('#wallet', form), passphrase = need<HTMLInputElement>('#passphrase', form), keeps = need<HTMLInputElement>('#keep', form)
  const as = need<HTMLSelectElement>('#as', form), choice = need('[data-records]', form)
  const known = kept()
  if (known) need('[data-kept]', form).hidden = false
  need('[data-forget]', form).addEventListener('click', () => { keep(null); location.reload() })
  form.addEventListener('submit', event => {
    event.preventDefault()
    void during(button, outcome, async () => {
      const text = await file.files?.[0]?.text() ?? known
      if (!text) throw new Error(phraseOf('ChooseFile'))
      const wallet = await openShowing(text, passphrase.value, outcome)
      endDemonstration()
      passphrase.value = ''
      if (keeps.checked) keep(text)
      say(outcome, phraseOf('SigningIn'))
      const site = as.selectedOptions[0]!
      if (!site.dataset.site) {
        const { accountKey, addressOf } = await keys()
        const key = accountKey(wallet.seed)
        await signIn({ address: addressOf(key), key })
      } else {
        await asPatient(wallet, site.value, Number(site.dataset.number), choice)
      }
    })
  })
}

/** Signs in whom a link of a demonstration names. */
export async function followLink(): Promise<void> {
  const who = readLink()
  if (!who) return
  const place = make('div')
  need('main').prepend(place)
  say(place, phraseOf('Demonstration'))
  try {
    const { addressOf, bytesOf, controllerKey } = await keys()
    // The page behind the door says it again.
    const role = 'account' in who ? who.account.name === 'auditor' ? 'auditor' : 'staff' : 'researcher' in who ? 'researcher' : 'patient'
    sessionStorage.setItem('emr-said', `${'account' in who ? phraseOf('DemonstrationAccount') : phraseOf('Demonstration')} ${phraseOf(`DemonstrationFirst_${role}`)}`)
    if ('account' in who) {
      endDemonstration()
      if (who.account.key) openAccount(who.account.key)
      need<HTMLInputElement>('#name').value = who.account.name
      need<HTMLInputElement>('#password').value = who.account.password
      need<HTMLInputElement>('#password').form!.requestSubmit()
    } else if ('researcher' in who) {
      await signIn({ address: addressOf(who.researcher), key: who.researcher })
    } else {
      const key = controllerKey(who.patient.seed, bytesOf(who.patient.pseudonym, 32))
      await signIn({ address: addressOf(key), key, publisher: who.patient.publisher })
    }
  } catch (error) {
    sessionStorage.removeItem('emr-said')
    say(place, error instanceof Error ? error.message : String(error), 'bad')
  }
}

async function asPatient(wallet: Wallet, site: string, number: number, choice: HTMLElement): Promise<void> {
  const { addressOf, bytesOf, controllerKey } = await keys()
  const own = wallet.entries.filter(entry => entry.site === number)
  const enter = (entry: typeof own[number]): Promise<void> => {
    const key = controllerKey(wallet.seed, bytesOf(entry.pseudonym, 32))
    return signIn({ address: addressOf(key), key, publisher: `${site}/${entry.schemaId}/${entry.pseudonym}` })
  }
  if (own.length === 0) throw new Error(phraseOf('NoEntries'))
  if (own.length === 1) return enter(own[0]!)
  const { schemas } = await get<{ schemas: { id: string; name: string }[] }>('/market')
  choice.replaceChildren(make('p', {}, choice.dataset.records!), ...own.map(entry => {
    const button = make('button', { type: 'button', class: 'quiet' }, `${schemas.find(schema => schema.id === entry.schemaId)?.name ?? entry.schemaId.slice(0, 12)}: ${entry.pseudonym.slice(0, 12)}…`)
    button.addEventListener('click', () => void during(button, choice, () => enter(entry)))
    return button
  }))
  choice.hidden = false
}

/** The form that makes a wallet, or restores one from its phrase. */
export function wireNewWallet(form: HTMLFormElement): void {
  const outcome = need('[data-outcome]', form), button = need<HTMLButtonElement>('button[type=submit]', form)
  const [first, second] = [need<HTMLInputElement>('#new-passphrase', form), need<HTMLInputElement>('#new-passphrase-again', form)]
  const phrase = need<HTMLTextAreaElement>('#phrase', form)
  form.addEventListener('submit', event => {
    event.preventDefault()
    void during(button, outcome, async () => {
      if (first.value.length < 12) throw new Error(phraseOf('PassphraseShort'))
      if (first.value !== second.value) throw new Error(phraseOf('PassphrasesDiffer'))
      const { newWallet, readPhrase, sealWallet, writePhrase } = await keys()
      const restored = phrase.value.trim() !== ''
      const wallet = restored ? { seed: readPhrase(phrase.value), entries: [] } : newWallet()
      const bar = make('progress', { max: '1', value: '0', 'aria-label': phraseOf('Opening') })
      outcome.replaceChildren(bar)
      const sealed = await sealWallet(wallet, first.value, done => { bar.value = done })
      first.value = second.value = phrase.value = ''
      keep(sealed)
      const download = make('button', { type: 'button' }, phraseOf('Download'))
      download.addEventListener('click', () => save('emr-wallet.json', sealed))
      const words = make('ol', { class: 'phrase' }, ...writePhrase(wallet.seed).split(' ').map(word => make('li', {}, make('code', {}, word))))
      outcome.className = 'notice good'
      outcome.replaceChildren(make('h3', {}, phraseOf('Made')), ...(restored ? [] : [make('p', {}, make('strong', {}, phraseOf('PhraseTitle'))), make('p', {}, phraseOf('PhraseWhy')), words]), download)
    })
  })
}
