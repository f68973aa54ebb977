/** Commands for the record of the page: signed here by its patient, carried out by its site. */
import type { commandKinds, PublisherCommand } from '../../ledger/messages.ts'
import { phraseOf } from '../../phrases.ts'
import { post } from '../api.ts'
import { need, say } from '../dom.ts'
import { keys, unlock } from '../wallets.ts'

export type CommandKind = keyof typeof commandKinds

/** A command before it has a number. */
export type Wish = Omit<PublisherCommand, 'nonce'>

/** The record that the page is about, and what a message for it is signed with. */
export interface RecordHere {
  readonly site: string
  readonly schema: string
  readonly pseudonym: string
  readonly controller: string
  readonly chain: string
  readonly contract: string
  readonly nonce: string
  readonly own: string
  readonly menu: string
}

/** The record of the page. */
export const recordHere = (): RecordHere => need('[data-record]').dataset as unknown as RecordHere

/** Where the API has it. */
export const recordPath = ({ site, schema, pseudonym }: RecordHere): string => `/sites/${site}/publishers/${schema}/${pseudonym}`

/** A command that sets no policy. */
export const apart = (kind: CommandKind): Wish => ({ kind, profile: 0, rate: 0, quota: 0, purpose: 0, expirySeconds: 0 })

/** Signs a command, hands it in, and shows the page anew. Nothing happens when the person turns back. */
export async function command(wish: Wish, outcome: HTMLElement): Promise<void> {
  const record = recordHere(), { schema, pseudonym, controller, chain, contract } = record
  const wallet = await unlock()
  if (!wallet) return
  const { addressOf, bytesOf, controllerKey, signCommand, signRevocation } = await keys()
  const key = controllerKey(wallet.seed, bytesOf(pseudonym, 32))
  if (addressOf(key) !== controller) throw new Error(phraseOf('OtherWallet'))
  say(outcome, phraseOf('Sending'))
  const domain = { chainId: BigInt(chain), accessControl: contract, schemaId: schema, pseudonym }
  // With a seed of the own, nobody else can tell the ledger of a withdrawal; it is one of the person, so all pseudonyms at the site are revoked.
  const here = wallet.entries.find(entry => entry.pseudonym === pseudonym)
  const revoked = wish.kind === 'withdraw' && record.own === 'true' && here
    ? wallet.entries.filter(entry => entry.site === here.site && entry.schemaId === here.schemaId) : []
  const nonce = BigInt(record.nonce)
  await post(`${recordPath(record)}/commands`, {
    ...wish, nonce: Number(nonce), signature: signCommand(domain, { ...wish, nonce }, key),
    ...(revoked.length > 0 ? { revocations: revoked.map(entry => ({
      pseudonym: entry.pseudonym,
      signature: signRevocation({ ...domain, pseudonym: entry.pseudonym }, entry.site, controllerKey(wallet.seed, bytesOf(entry.pseudonym, 32))),
    })) } : {}),
  })
  sessionStorage.setItem('emr-said', phraseOf('Signed'))
  location.reload()
}
