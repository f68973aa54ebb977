/** A Consent of HL7 FHIR in the place of settings: what it means is shown in full before the patient signs it. */
import { phraseOf } from '../../phrases.ts'
import { type Fault, postAsItIs, Refusal } from '../api.ts'
import { during, make, need, say } from '../dom.ts'
import { apart, command, recordHere, recordPath, type Wish } from './commands.ts'
import { explain, type Menu, menuHere } from './policy.ts'

interface Policy { readonly profile: number; readonly profileName: string; readonly rate?: number | null; readonly quota?: number | null; readonly purpose: number; readonly purposeTitle: string; readonly expirySeconds: number }
interface Meaning { readonly participation: 'active' | 'paused' | 'withdrawn'; readonly policy?: Policy | null; readonly notes: readonly { readonly expression: string; readonly text: string }[] }

// The reader's own bound: a longer file would not even be taken.
const mostBytes = 64 << 10
// The end of the year 9999, the last that FHIR can write.
const noEnd = 253_402_300_800

const value = (id: string): number => Number(need<HTMLInputElement>(`#${id}`).value)
const lastDay = (end: number): string => new Date((end - 1) * 1000).toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' })

/** What is signed for a meaning: what the Consent leaves open is as the settings of the page have it. */
const wishOf = ({ participation, policy }: Meaning): Wish => participation === 'withdrawn' ? apart('withdraw') : participation === 'paused' || !policy ? apart('pause') : {
  kind: 'setPolicy', profile: policy.profile, rate: policy.rate ?? value('rate'), quota: policy.quota ?? value('quota'), purpose: policy.purpose, expirySeconds: policy.expirySeconds,
}

/** The settings that a Consent becomes, field by field, and what they mean. */
function settings(policy: Policy, wish: Wish, menu: Menu): HTMLElement[] {
  const amounts = menu.rates.find(rate => rate.index === wish.rate)?.perEpsilon ?? []
  const remark = (said: number | null | undefined): string => said === null || said === undefined ? ` ${phraseOf('ConsentAsHere')}` : ''
  const lines: [string, string][] = [
    [phraseOf('ConsentProfile'), policy.profileName],
    [phraseOf('ConsentPurpose'), policy.purposeTitle],
    [phraseOf('ConsentUntil'), policy.expirySeconds === noEnd ? phraseOf('ConsentNoEnd') : lastDay(policy.expirySeconds)],
    [phraseOf('ConsentPrice'), amounts.slice(1).map(amount => BigInt(amount).toLocaleString('en')).join(' / ') + remark(policy.rate)],
    [phraseOf('ConsentQuota'), wish.quota.toLocaleString('en') + remark(policy.quota)],
  ]
  const profile = menu.profiles.find(each => each.index === policy.profile)
  return [
    make('dl', { class: 'pairs' }, ...lines.flatMap(([name, said]) => [make('dt', {}, name), make('dd', {}, said)])),
    ...(profile ? [make('h5', {}, phraseOf('ConsentMeans')), make('ul', {}, ...explain(profile, amounts, menu.crowdSize).map(line => make('li', {}, line)))] : []),
  ]
}

function show(meaning: Meaning, place: HTMLElement, putAside: () => void): void {
  const wish = wishOf(meaning)
  const title = make('h4', { tabindex: '-1' }, phraseOf(`Consent_${wish.kind}`))
  const go = make('button', { type: 'button', ...(wish.kind === 'withdraw' ? { class: 'danger' } : {}) }, phraseOf(`ConsentGo_${wish.kind}`))
  const back = make('button', { type: 'button', class: 'quiet' }, phraseOf('ConsentAside'))
  const said = make('div', { role: 'status' })
  go.addEventListener('click', () => void during(go, said, () => command(wish, said)))
  back.addEventListener('click', putAside)
  place.className = 'notice'
  place.setAttribute('role', 'status')
  place.replaceChildren(
    title,
    ...(wish.kind === 'setPolicy' ? settings(meaning.policy!, wish, menuHere()) : [make('p', {}, phraseOf(`ConsentWhat_${wish.kind}`))]),
    ...(meaning.notes.length > 0 ? [make('h5', {}, phraseOf('ConsentNotes')), make('ul', {}, ...meaning.notes.map(note => make('li', {}, note.text, ' ', make('code', {}, note.expression))))] : []),
    make('div', { class: 'actions' }, go, back), said)
  title.focus()
}

function refuse(faults: readonly Fault[], place: HTMLElement): void {
  say(place, phraseOf('ConsentRefused'), 'bad')
  place.append(make('ul', {}, ...faults.map(({ code, line, column, message, fix }) =>
    make('li', {}, `${message}. ${fix} `, make('code', {}, [column || (line > 0 ? phraseOf('ConsentLine', line) : ''), code].filter(part => part !== '').join(', '))))))
}

/** The form that takes a Consent. */
export function wireConsent(form: HTMLFormElement): void {
  const outcome = need('[data-outcome]', form), button = need<HTMLButtonElement>('button[type=submit]', form), file = need<HTMLInputElement>('input[type=file]', form)
  // What is shown is always of the file that is chosen.
  file.addEventListener('change', () => say(outcome, ''))
  const putAside = (): void => {
    form.reset()
    say(outcome, '')
    file.focus()
  }
  form.addEventListener('submit', event => {
    event.preventDefault()
    void during(button, outcome, async () => {
      const consent = file.files?.[0]
      if (!consent) throw new Error(phraseOf('ConsentNone'))
      if (consent.size > mostBytes) throw new Error(phraseOf('ConsentLong'))
      try {
        show(await postAsItIs<Meaning>(`${recordPath(recordHere())}/consent`, consent), outcome, putAside)
      } catch (error) {
        if (!(error instanceof Refusal) || error.faults.length === 0) throw error
        refuse(error.faults, outcome)
      }
    })
  })
}
