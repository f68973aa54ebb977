/** What auditors sign: challenges, demands for leaves, findings about sites, and the withdrawal of what they won. The server writes the calls and passes them on. */
import type { Call } from '../ledger/transactions.ts'
import { phraseOf } from '../phrases.ts'
import { get, poll, post } from './api.ts'
import { during, make, need, say } from './dom.ts'
import { send } from './requests.ts'
import { keys, unlockAccount } from './wallets.ts'

interface Offer { readonly calls: readonly Call[] }
interface Demand { readonly batchId: string; readonly kind: number; readonly position: number; readonly state: string }
interface Holdings { readonly address: string; readonly wei: string; readonly tokens: string; readonly free: string; readonly isAuditor: boolean }

const longest = 120

/** Asks for the calls of the account that signs, and sends them. Undefined when the person turns back. */
async function signOffered(ask: (account: string) => Promise<Offer>, outcome: HTMLElement): Promise<string | undefined> {
  const key = await unlockAccount()
  if (!key) return undefined
  const { addressOf } = await keys()
  const account = addressOf(key)
  const { calls } = await ask(account)
  return await send(calls, account, outcome) ? account : undefined
}

function leaveFor(path: string, said: string): void {
  sessionStorage.setItem('emr-said', said)
  // A fragment alone would not load anything.
  if (location.pathname === path) location.reload()
  else location.assign(path)
}

/** The button that files a challenge; the batch's own page then says what came of it. */
export function wireChallenge(place: HTMLElement): void {
  const button = need<HTMLButtonElement>('button', place), outcome = need('[data-outcome]', place)
  button.hidden = false
  button.addEventListener('click', () => void during(button, outcome, async () => {
    if (!await send(JSON.parse(place.dataset.challenge!) as Call[], undefined, outcome)) return
    await poll(async () => (await get<{ status: string }>(`/ledger/batches/${place.dataset.batch}`)).status === 'void' || undefined, longest)
    leaveFor(place.dataset.place!, phraseOf('Voided'))
  }))
}

const demandsOf = async (batch: string): Promise<Demand[]> => {
  const found: Demand[] = []
  for (let cursor = ''; ;) {
    const { items, next } = await get<{ items: Demand[]; next?: string | null }>(`/ledger/demands?limit=1000${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`)
    found.push(...items.filter(demand => demand.batchId === batch))
    if (!next) return found
    cursor = next
  }
}

/** How a leaf's demand stands, as text to compare; empty when nobody demanded it. */
const standing = async (batch: string, kind: number, position: number): Promise<string> =>
  JSON.stringify((await demandsOf(batch)).find(demand => demand.kind === kind && demand.position === position) ?? '')

/** Has a demand's calls signed, waits until it stands otherwise, and shows the batch's page anew. */
async function changeDemand(path: string, wish: { batchId: string; kind: number; position: number }, said: string, outcome: HTMLElement): Promise<void> {
  const read = (): Promise<string> => standing(wish.batchId, wish.kind, wish.position)
  const before = await read()
  if (!await signOffered(account => post<Offer>(path, { account, ...wish }), outcome)) return
  await poll(async () => await read() !== before || undefined, longest)
  leaveFor(location.pathname, said)
}

/** The form that demands a leaf. */
export function wireDemand(form: HTMLFormElement): void {
  const outcome = need('[data-outcome]', form), button = need<HTMLButtonElement>('button[type=submit]', form)
  form.addEventListener('submit', event => {
    event.preventDefault()
    void during(button, outcome, () => changeDemand('/ledger/demands', {
      batchId: form.dataset.demand!, kind: Number(need<HTMLSelectElement>('#demand-kind', form).value), position: need<HTMLInputElement>('#demand-position', form).valueAsNumber,
    }, phraseOf('Demanded'), outcome))
  })
}

/** The button that ends a demand without answer. */
export function wireEndDemand(place: HTMLElement): void {
  const button = need<HTMLButtonElement>('button', place), outcome = need('[data-outcome]', place)
  button.hidden = false
  button.addEventListener('click', () => void during(button, outcome, () => changeDemand('/ledger/demands/end', {
    batchId: place.dataset.endDemand!, kind: Number(place.dataset.kind), position: Number(place.dataset.position),
  }, phraseOf('DemandOver'), outcome)))
}

/** The form that records a finding: the document is hashed here and goes nowhere. */
export function wireFinding(form: HTMLFormElement): void {
  const outcome = need('[data-outcome]', form), button = need<HTMLButtonElement>('button[type=submit]', form)
  const text = need<HTMLTextAreaElement>('#finding-text', form), file = need<HTMLInputElement>('#finding-file', form)
  form.addEventListener('submit', event => {
    event.preventDefault()
    void during(button, outcome, async () => {
      const document = file.files?.[0] ? new Uint8Array(await file.files[0].arrayBuffer()) : new TextEncoder().encode(text.value.trim())
      if (document.length === 0) throw new Error(phraseOf('FindingNothing'))
      const { sha256Of } = await keys()
      const contentHash = sha256Of(document)
      say(outcome, phraseOf('FindingHash', contentHash))
      const site = need<HTMLSelectElement>('#finding-site', form).value, kind = Number(need<HTMLSelectElement>('#finding-kind', form).value)
      const signed = await signOffered(account => post<Offer>(`/ledger/sites/${site}/findings`, { account, kind, contentHash }), outcome)
      if (!signed) return
      await poll(async () => (await get<{ items: { contentHash: string }[] }>(`/ledger/sites/${site}/findings?limit=1000`)).items.some(finding => finding.contentHash === contentHash) || undefined, longest)
      leaveFor(location.pathname, phraseOf('FindingTaken', contentHash))
    })
  })
}

/** The place that shows what the wallet's account holds, and takes out what is free. */
export function wireAccount(place: HTMLElement): void {
  const button = need<HTMLButtonElement>('button', place), outcome = need('[data-outcome]', place)
  button.hidden = false
  const show = async (account: string): Promise<void> => {
    const held = await get<Holdings>(`/ledger/accounts/${account}`)
    const units = (amount: string): string => BigInt(amount).toLocaleString('en')
    outcome.className = ''
    const lines: [string, string][] = [
      [phraseOf('AccountAddress'), held.address], [phraseOf('AccountAuditor'), held.isAuditor ? phraseOf('AccountYes') : phraseOf('AccountNo')],
      [phraseOf('AccountTokens'), units(held.tokens)], [phraseOf('AccountFree'), units(held.free)], [phraseOf('AccountWei'), units(held.wei)],
    ]
    outcome.replaceChildren(make('dl', { class: 'pairs' }, ...lines.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)])))
    if (BigInt(held.free) === 0n) return
    const withdraw = make('button', { type: 'button', class: 'small' }, phraseOf('AccountWithdraw'))
    const said = make('div', { role: 'status' })
    outcome.append(withdraw, said)
    withdraw.addEventListener('click', () => void during(withdraw, said, async () => {
      if (!await signOffered(own => post<Offer>(`/ledger/accounts/${own}/withdrawal`), said)) return
      await show(account)
      outcome.append(make('p', {}, phraseOf('Withdrawn')))
    }))
  }
  button.addEventListener('click', () => void during(button, outcome, async () => {
    const key = await unlockAccount()
    if (key) await show((await keys()).addressOf(key))
  }))
}
