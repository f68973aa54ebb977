/**
 * Links of a demonstration: a person's throw-away key in the fragment, which no browser sends to a server. Their wallet lies open in this tab until it is closed, and the page says so.
 */
import { bytesOf } from '../keys/bytes.ts'
import type { WalletEntry } from '../keys/walletFile.ts'

/** A wallet that is open because it guards nothing: a patient's seed with the pseudonyms, or a researcher's key. */
export type OpenWallet = { readonly seed: string; readonly entries: readonly WalletEntry[] } | { readonly account: string }

/** Whom a link makes the visitor. */
export type Demonstrated =
  | { readonly patient: { readonly seed: Uint8Array; readonly pseudonym: string; readonly publisher: string } }
  | { readonly researcher: Uint8Array }
  | { readonly account: { readonly name: string; readonly password: string; readonly key?: string } }

const place = 'emr-demonstration'

/** The open wallet of this tab. */
export function openWalletOfDemonstration(): OpenWallet | undefined {
  const kept = sessionStorage.getItem(place)
  return kept === null ? undefined : JSON.parse(kept) as OpenWallet
}

/** Forgets it: somebody signs in as themselves. */
export const endDemonstration = (): void => sessionStorage.removeItem(place)

/** Opens the wallet that came with an account. */
export const openAccount = (key: string): void => sessionStorage.setItem(place, JSON.stringify({ account: key }))

/** Reads a link's fragment; undefined when it is none. The fragment leaves the address at once. */
export function readLink(): Demonstrated | undefined {
  const [, kind, value, key] = /^#(patient|researcher|account)=([^&]+)(?:&key=0x([0-9a-f]{64}))?$/.exec(location.hash) ?? []
  if (!kind || !value) return undefined
  history.replaceState(null, '', location.pathname + location.search)
  if (kind === 'account') {
    const at = value.indexOf(':')
    return { account: { name: decodeURIComponent(value.slice(0, at)), password: decodeURIComponent(value.slice(at + 1)), ...(key ? { key } : {}) } }
  }
  if (kind === 'researcher') {
    openAccount(value.replace(/^0x/, ''))
    return { researcher: bytesOf(value, 32) }
  }
  const [site, schemaId, number, seed, pseudonyms] = value.split('/')
  const names = pseudonyms?.split(',') ?? []
  if (!site || !schemaId || !number || !seed || !names[0]) return undefined
  sessionStorage.setItem(place, JSON.stringify({ seed, entries: names.map(pseudonym => ({ site: Number(number), schemaId, pseudonym })) }))
  return { patient: { seed: bytesOf(seed, 32), pseudonym: names[0], publisher: `${site}/${schemaId}/${names[0]}` } }
}
