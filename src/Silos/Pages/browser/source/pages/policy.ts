/** The patient's settings: an honest explanation while they choose, and the command that they sign. */
import { commandKinds, type PublisherCommand } from '../ledger/messages.ts'
import { phraseOf } from '../phrases.ts'
import { post } from './api.ts'
import { during, make, need, say } from './dom.ts'
import { keys, unlock } from './wallets.ts'

interface Attribute { name: string; title: string; tier: string; grade: number; epsilonMicro: number; guessRight: number; qualityPpb: number }
interface Profile { index: number; name: string; attributes: Attribute[]; lossMicro: number; reidentified: number; recordsOffered: number | null; recordsSold: number | null; earned: string | null }
interface Menu { crowdSize: number; profiles: Profile[]; rates: { index: number; perEpsilon: string[] }[] }

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
  const menu = JSON.parse(form.dataset.menu!) as Menu
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
      const kind = button.value as keyof typeof commandKinds
      const value = (id: string): number => Number(need<HTMLInputElement>(`#${id}`, form).value)
      const profile = chosen()
      if (kind === 'setPolicy' && !profile) throw new Error(phraseOf('NothingPublished'))
      const confirmation = button.dataset.confirm
      if (confirmation && !window.confirm(confirmation)) return
      const sets = kind === 'setPolicy'
      await command(form, {
        nonce: BigInt(form.dataset.nonce!), kind, profile: sets ? profile!.index : 0, rate: sets ? value('rate') : 0, quota: sets ? value('quota') : 0, purpose: sets ? value('purpose') : 0,
        expirySeconds: sets ? Math.floor(Date.parse(`${need<HTMLInputElement>('#expiry', form).value}T23:59:59Z`) / 1000) : 0,
      }, outcome)
    })
  })
}

async function command(form: HTMLFormElement, wish: PublisherCommand, outcome: HTMLElement): Promise<void> {
  const { site, schema, pseudonym, controller, chain, contract } = form.dataset as Record<string, string>
  const wallet = await unlock()
  if (!wallet) return
  const { addressOf, bytesOf, controllerKey, signCommand, signRevocation } = await keys()
  const key = controllerKey(wallet.seed, bytesOf(pseudonym!, 32))
  if (addressOf(key) !== controller) throw new Error(phraseOf('OtherWallet'))
  say(outcome, phraseOf('Sending'))
  const domain = { chainId: BigInt(chain!), accessControl: contract!, schemaId: schema!, pseudonym: pseudonym! }
  // With a seed of the own, nobody else can tell the ledger of a withdrawal; it is one of the person, so all pseudonyms at the site are revoked.
  const here = wallet.entries.find(entry => entry.pseudonym === pseudonym)
  const revoked = wish.kind === 'withdraw' && form.dataset.own === 'true' && here
    ? wallet.entries.filter(entry => entry.site === here.site && entry.schemaId === here.schemaId) : []
  await post(`/sites/${site}/publishers/${schema}/${pseudonym}/commands`, {
    nonce: Number(wish.nonce), kind: wish.kind, profile: wish.profile, rate: wish.rate, quota: wish.quota, purpose: wish.purpose, expirySeconds: wish.expirySeconds,
    signature: signCommand(domain, wish, key),
    ...(revoked.length > 0 ? { revocations: revoked.map(entry => ({
      pseudonym: entry.pseudonym,
      signature: signRevocation({ ...domain, pseudonym: entry.pseudonym }, entry.site, controllerKey(wallet.seed, bytesOf(entry.pseudonym, 32))),
    })) } : {}),
  })
  sessionStorage.setItem('emr-said', phraseOf('Signed'))
  location.reload()
}
