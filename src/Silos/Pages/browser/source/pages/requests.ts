/** Calls of the ledger: signed here, passed on by the server. */
import type { Account, Call } from '../ledger/transactions.ts'
import { phraseOf } from '../phrases.ts'
import { get, poll, post, postAsItIs, Refusal } from './api.ts'
import { during, need, say } from './dom.ts'
import { keys, unlockAccount } from './wallets.ts'

interface Receipt { readonly succeeded: boolean }

/** Signs calls and hands them on, one after the other; with an owner only for that account. False when the person turns back. */
export async function send(calls: readonly Call[], owner: string | undefined, outcome: HTMLElement): Promise<boolean> {
  const key = await unlockAccount()
  if (!key) return false
  const { addressOf, signCall } = await keys()
  const signer = addressOf(key)
  if (owner !== undefined && signer !== owner) throw new Error(phraseOf('OtherAccount'))
  const account = await get<Account>(`/ledger/accounts/${signer}`)
  for (const [place, call] of calls.entries()) {
    say(outcome, phraseOf('Calls', place + 1, calls.length, call.what))
    const { hash } = await post<{ hash: string }>('/ledger/transactions', { raw: signCall(call, account, place, key) })
    const receipt = await poll(() => get<Receipt | undefined>(`/ledger/transactions/${hash}`).catch((error: unknown) => {
      // In no block yet.
      if (error instanceof Refusal && error.status === 404) return undefined
      throw error
    }), 60)
    if (!receipt.succeeded) throw new Error(phraseOf('FailedCall'))
  }
  return true
}

/** The button that hands in terms and funds them. */
export function wireFund(place: HTMLElement): void {
  const button = need<HTMLButtonElement>('button', place), outcome = need('[data-outcome]', place)
  button.hidden = false
  button.addEventListener('click', () => void during(button, outcome, async () => {
    const open = await postAsItIs<{ key: string; calls: Call[] }>('/requests', place.dataset.fund!)
    if (!await send(open.calls, place.dataset.owner!, outcome)) return
    say(outcome, phraseOf('Funded'), 'good')
    location.assign(`/requests/${open.key}`)
  }))
}

/** The button that cancels. */
export function wireCancel(place: HTMLElement): void {
  const button = need<HTMLButtonElement>('button', place), outcome = need('[data-outcome]', place)
  button.hidden = false
  button.addEventListener('click', () => void during(button, outcome, async () => {
    const answer = await post<{ cancelled: boolean; calls: Call[] }>(`/requests/${place.dataset.cancel}/cancellation`)
    if (!answer.cancelled && !await send(answer.calls, place.dataset.owner!, outcome)) return
    sessionStorage.setItem('emr-said', phraseOf('Cancelled'))
    location.reload()
  }))
}

/** A place that follows a request: the page is drawn anew when its state has changed, and rests while nobody looks. */
export function wireFollow(place: HTMLElement): void {
  const look = async (): Promise<void> => {
    if (document.hidden || document.querySelector('dialog[open]')) return
    const { state } = await get<{ state: string }>(`/requests/${place.dataset.follow}`)
    if (state !== place.dataset.state) location.reload()
  }
  setInterval(() => void look().catch(() => { /* the next look may find the server again */ }), 2_000)
}
