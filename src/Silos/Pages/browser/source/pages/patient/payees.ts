/** Whether the patient's wallet spends what uses of the record paid. */
import { phraseOf } from '../../phrases.ts'
import { during, need, say } from '../dom.ts'
import { keys, unlock } from '../wallets.ts'

// Sites number an epoch's addresses from 0 and have few; another wallet's address is known as such after the last of these.
const steps = [16, 256, 4096]

/** The button above the history, and the place beside each payee. */
export function wirePayees(place: HTMLElement): void {
  const button = need<HTMLButtonElement>('button', place), outcome = need('[data-outcome]', place)
  button.hidden = false
  button.addEventListener('click', () => void during(button, outcome, async () => {
    const wallet = await unlock()
    if (!wallet) return
    const { addressOf, bytesOf, payoutKey } = await keys()
    const pseudonym = bytesOf(place.dataset.payees!, 32)
    const known = new Map<number, Set<string>>()
    const uses = document.querySelectorAll<HTMLElement>('[data-payee]')
    let mine = 0
    for (const use of uses) {
      const epoch = Number(use.dataset.epoch), addresses = known.get(epoch) ?? new Set<string>()
      known.set(epoch, addresses)
      for (const step of steps) {
        if (addresses.has(use.dataset.payee!)) break
        for (let index = addresses.size; index < step; index++) addresses.add(addressOf(payoutKey(wallet.seed, pseudonym, epoch, index)))
        // Thousands of keys take a moment: the page stays alive.
        await new Promise(resolve => setTimeout(resolve))
      }
      const here = addresses.has(use.dataset.payee!)
      if (here) mine++
      use.textContent = here ? phraseOf('KeyHere') : phraseOf('KeyElsewhere')
    }
    say(outcome, phraseOf('KeysHere', mine, uses.length), mine === uses.length ? 'good' : 'warn')
  }))
}
