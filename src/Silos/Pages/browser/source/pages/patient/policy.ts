/** The patient's settings: an honest explanation while they choose, and the command that they sign. */
import { phraseOf } from '../../phrases.ts'
import { apart, command, type CommandKind, recordHere } from './commands.ts'
import { during, make, need } from '../dom.ts'

interface Attribute { name: string; title: string; tier: string; grade: number; epsilonMicro: number; guessRight: number; qualityPpb: number }
interface Profile { index: number; name: string; attributes: Attribute[]; lossMicro: number; reidentified: number; recordsOffered: number | null; recordsSold: number | null; earned: string | null }
export interface Menu { crowdSize: number; profiles: Profile[]; rates: { index: number; perEpsilon: string[] }[] }

/** The choices of this record's patient. */
export const menuHere = (): Menu => JSON.parse(recordHere().menu) as Menu

const tiers = ['public', 'low', 'moderate', 'private']
const number = (value: number, digits = 2): string => value.toLocaleString('en', { maximumFractionDigits: digits })
const percent = (share: number): string => `${number(share * 100, share < 0.1 ? 2 : 0)}\u00a0%`

/** The profile that is published for a wish: among those at most as generous in every field the one with the largest loss, then the first (ProfileMenu.NearestStricter). */
export function nearestStricter(profiles: readonly Profile[], wish: ReadonlyMap<string, number>): Profile | undefined {
  return profiles.filter(profile => profile.attributes.every(attribute => attribute.grade <= (wish.get(attribute.name) ?? 0)))
    .reduce<Profile | undefined>((best, profile) => best && best.lossMicro >= profile.lossMicro ? best : profile, undefined)
}

/** What a profile means, sentence by sentence. */
export function explain(profile: Profile, perEpsilon: readonly string[], crowd: number): string[] {
  const released = profile.attributes.filter(attribute => attribute.grade > 0)
  if (released.length === 0) return [phraseOf('Becomes', profile.name), phraseOf('NoComparable')]
  const dearest = released.reduce((most, attribute) => attribute.epsilonMicro > most.epsilonMicro ? attribute : most)
  const epsilon = profile.lossMicro / 1e6
  const ask = released.reduce((sum, attribute) => {
    const product = BigInt(perEpsilon[tiers.indexOf(attribute.tier)] ?? '0') * BigInt(attribute.epsilonMicro)
    return sum + (product + 999_999n) / 1_000_000n
  }, 0n)
  return [
    phraseOf('Becomes', profile.name),
    phraseOf('OneAnswer', percent(dearest.guessRight), dearest.title, number(dearest.epsilonMicro / 1e6)),
    epsilon <= 5 ? phraseOf('All', number(Math.exp(epsilon), 1), number(epsilon)) : phraseOf('AllLoose', number(epsilon)),
    crowd > 1 ? phraseOf('Found', percent(profile.reidentified), number(crowd, 0), percent(1 / crowd)) : phraseOf('NotMeasured'),
    phraseOf('Worth', number(released.reduce((sum, attribute) => sum + attribute.qualityPpb / 1e9, 0)), released.length),
    phraseOf('Price', ask.toLocaleString('en')),
    profile.recordsSold && profile.earned ? phraseOf('Comparable', (BigInt(profile.earned) / BigInt(profile.recordsSold)).toLocaleString('en'), number(profile.recordsSold, 0)) : phraseOf('NoComparable'),
  ]
}

/** Wires the form. */
export function wirePolicy(form: HTMLFormElement): void {
  const menu = menuHere()
  const explanation = need('#explanation'), outcome = need('[data-outcome]', form)
  const rate = need<HTMLSelectElement>('#rate', form)
  const chosen = (): Profile | undefined => {
    const wish = new Map<string, number>()
    for (const attribute of menu.profiles[0]!.attributes) {
      const own = form.querySelector<HTMLSelectElement>(`[data-attribute="${CSS.escape(attribute.name)}"]`)
      const tier = form.querySelector<HTMLSelectElement>(`[data-tier="${attribute.tier}"]`)
      wish.set(attribute.name, Number((own && own.value !== '' ? own : tier)?.value ?? 0))
    }
    return nearestStricter(menu.profiles, wish)
  }
  const show = (): void => {
    const profile = chosen()
    const lines = profile ? explain(profile, menu.rates.find(each => each.index === Number(rate.value))?.perEpsilon ?? [], menu.crowdSize) : [phraseOf('NothingPublished')]
    explanation.replaceChildren(make('ul', {}, ...lines.map(line => make('li', {}, line))))
  }
  form.addEventListener('change', show)
  show()

  form.addEventListener('submit', event => {
    event.preventDefault()
    const button = (event as SubmitEvent).submitter as HTMLButtonElement
    void during(button, outcome, async () => {
      const kind = button.value as CommandKind
      const value = (id: string): number => Number(need<HTMLInputElement>(`#${id}`, form).value)
      const profile = chosen()
      if (kind === 'setPolicy' && !profile) throw new Error(phraseOf('NothingPublished'))
      const confirmation = button.dataset.confirm
      if (confirmation && !window.confirm(confirmation)) return
      await command(kind !== 'setPolicy' ? apart(kind) : {
        kind, profile: profile!.index, rate: value('rate'), quota: value('quota'), purpose: value('purpose'),
        // The chosen day counts wholly.
        expirySeconds: Date.parse(`${need<HTMLInputElement>('#expiry', form).value}T00:00:00Z`) / 1000 + 86_400,
      }, outcome)
    })
  })
}
