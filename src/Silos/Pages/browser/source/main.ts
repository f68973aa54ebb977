/** Wires what a page holds, by its data attributes. Without scripts, everything that needs no key works all the same. */
import { wireAccount, wireChallenge, wireDemand, wireEndDemand, wireFinding } from './pages/audits.ts'
import { make, need, say } from './pages/dom.ts'
import { wireHandOut } from './pages/handOut.ts'
import { wireLive } from './pages/live.ts'
import { wireConsent } from './pages/patient/consents.ts'
import { wireOwnSeed, wirePassphrase } from './pages/patient/custody.ts'
import { wirePayees } from './pages/patient/payees.ts'
import { wirePolicy } from './pages/patient/policy.ts'
import { wireProof } from './pages/proofs.ts'
import { wireCancel, wireFollow, wireFund } from './pages/requests.ts'
import { followLink, wireNewWallet, wireSignIn } from './pages/signIn.ts'

const each = <T extends HTMLElement>(selector: string, wire: (element: T) => void): void => document.querySelectorAll<T>(selector).forEach(element => {
  element.querySelectorAll<HTMLElement>('[data-needs-script]').forEach(hidden => { hidden.hidden = false })
  wire(element)
})

document.documentElement.dataset.scripts = 'on'
each<HTMLFormElement>('form[data-sign-in]', wireSignIn)
each<HTMLFormElement>('form[data-new-wallet]', wireNewWallet)
if (document.querySelector('form[data-sign-in]')) void followLink()
each<HTMLFormElement>('form[data-policy]', wirePolicy)
each<HTMLFormElement>('form[data-consent]', wireConsent)
each<HTMLFormElement>('form[data-own-seed]', wireOwnSeed)
each<HTMLFormElement>('form[data-passphrase]', wirePassphrase)
each<HTMLFormElement>('form[data-live]', wireLive)
each('[data-payees]', wirePayees)
each('[data-steps]', wireProof)
each<HTMLFormElement>('form[data-wallet]', wireHandOut)
each('[data-fund]', wireFund)
each('[data-cancel]', wireCancel)
each('[data-challenge]', wireChallenge)
each<HTMLFormElement>('form[data-demand]', wireDemand)
each('[data-end-demand]', wireEndDemand)
each<HTMLFormElement>('form[data-finding]', wireFinding)
each('[data-account]', wireAccount)
each('[data-print]', button => button.addEventListener('click', () => window.print()))
each('[data-working]', form => form.addEventListener('submit', () => {
  // The answer is a new page: until it comes, show that something goes on.
  form.append(make('div', { class: 'working', role: 'status' }, form.dataset.working!, make('progress', { 'aria-label': form.dataset.working! })))
}))

const said = sessionStorage.getItem('emr-said')
if (said) {
  sessionStorage.removeItem('emr-said')
  const place = make('div')
  need('main').prepend(place)
  say(place, said, 'good')
}

each('[data-follow]', wireFollow)
