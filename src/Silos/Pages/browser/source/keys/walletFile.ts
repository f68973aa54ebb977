/** The wallet file: a seed and the pseudonyms that it commands, sealed by AES-256-GCM under a key that scrypt derives (docs/WIRE.md, "Wallet"). */
import { gcm } from '@noble/ciphers/aes.js'
import { scryptAsync } from '@noble/hashes/scrypt.js'
import { concatBytes, randomBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { bytesOf, hexOf } from './bytes.ts'
import { phraseOf } from '../phrases.ts'
import { WalletError } from './walletError.ts'

/** A patient's pseudonym at a site. */
export interface WalletEntry { readonly site: number; readonly schemaId: string; readonly pseudonym: string }

/** An open wallet. Whoever has the seed commands the pseudonyms and spends what they were paid. */
export interface Wallet { readonly seed: Uint8Array; readonly entries: readonly WalletEntry[] }

/** Is told how far the derivation of the key is, from 0 to 1. */
export type Progress = (done: number) => void

const format = 'emr-wallet'
const version = 1
const writtenCost = 1 << 17
const [leastCost, mostCost] = [1 << 14, 1 << 20]
const [saltBytes, nonceBytes, tagBytes, seedBytes] = [16, 12, 16, 32]
const mostEntries = 10_000
const longestFile = 4_000_000

/** A wallet with a new seed and no pseudonyms. */
export const newWallet = (): Wallet => ({ seed: randomBytes(seedBytes), entries: [] })

/** Opens a file. */
export async function openWallet(file: string, passphrase: string, progress: Progress = () => {}): Promise<Wallet> {
  const box = parse(file, ['format', 'version', 'cost', 'salt', 'nonce', 'tag', 'content'], 'not-a-wallet', phraseOf('Wallet_none'))
  if (box.format !== format) throw new WalletError('not-a-wallet', phraseOf('Wallet_none'))
  if (box.version !== version) throw new WalletError('future-version', phraseOf('Wallet_version', version))
  const [salt, nonce, tag, content] = [box.salt, box.nonce, box.tag, box.content].map(field => bytesIn(field, 'not-a-wallet')) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  const cost = box.cost
  if (typeof cost !== 'number' || !Number.isInteger(cost) || cost < leastCost || cost > mostCost || (cost & (cost - 1)) !== 0
    || salt.length !== saltBytes || nonce.length !== nonceBytes || tag.length !== tagBytes) {
    throw new WalletError('wallet-parameters', phraseOf('Wallet_parameters', leastCost, mostCost))
  }
  const key = await keyOf(passphrase, salt, cost, progress)
  let plain: Uint8Array
  try {
    plain = gcm(key, nonce, header(cost, hexOf(salt))).decrypt(concatBytes(content, tag))
  } catch {
    throw new WalletError('wallet-locked', phraseOf('Wallet_locked'))
  } finally {
    key.fill(0)
  }
  const opened = parse(new TextDecoder().decode(plain), ['seed', 'entries'], 'wallet-content', phraseOf('Wallet_content'))
  plain.fill(0)
  const seed = bytesIn(opened.seed, 'wallet-content')
  if (seed.length !== seedBytes || !Array.isArray(opened.entries) || opened.entries.length > mostEntries) {
    throw new WalletError('wallet-content', phraseOf('Wallet_lengths'))
  }
  return { seed, entries: opened.entries.map(entryOf) }
}

/** Seals a wallet; salt and nonce are new in every file. */
export const sealWallet = (wallet: Wallet, passphrase: string, progress?: Progress): Promise<string> =>
  sealWith(wallet, passphrase, writtenCost, randomBytes(saltBytes), randomBytes(nonceBytes), progress)

/** Seals with given randomness: for the vectors. */
export async function sealWith(
  wallet: Wallet, passphrase: string, cost: number, salt: Uint8Array, nonce: Uint8Array, progress: Progress = () => {},
): Promise<string> {
  if (passphrase.length === 0) throw new WalletError('passphrase-empty', phraseOf('Wallet_passphrase'))
  const plain = utf8ToBytes(JSON.stringify({
    seed: hexOf(wallet.seed),
    entries: wallet.entries.map(({ site, schemaId, pseudonym }) => ({ site, schemaId, pseudonym })),
  }))
  const key = await keyOf(passphrase, salt, cost, progress)
  const sealed = gcm(key, nonce, header(cost, hexOf(salt))).encrypt(plain)
  key.fill(0)
  plain.fill(0)
  return JSON.stringify({
    format, version, cost, salt: hexOf(salt), nonce: hexOf(nonce), tag: hexOf(sealed.subarray(-tagBytes)), content: hexOf(sealed.subarray(0, -tagBytes)),
  })
}

// What is sealed with the content, so that nobody weakens it unnoticed.
const header = (cost: number, salt: string): Uint8Array => utf8ToBytes(`${format} ${version} ${cost} ${salt}`)

// Normalised, since the same passphrase typed on another machine may be other code points.
const keyOf = (passphrase: string, salt: Uint8Array, cost: number, onProgress: Progress): Promise<Uint8Array> =>
  scryptAsync(utf8ToBytes(passphrase.normalize('NFKC')), salt, { N: cost, r: 8, p: 1, dkLen: 32, maxmem: 2 ** 31, onProgress })

function parse(json: string, members: string[], code: string, fault: string): Record<string, unknown> {
  let value: unknown
  try {
    value = json.length <= longestFile ? JSON.parse(json) : undefined
  } catch {
    value = undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).sort().join() !== [...members].sort().join()) {
    // What was read is not repeated: it may be somebody's secret.
    throw new WalletError(code, fault)
  }
  return value as Record<string, unknown>
}

function bytesIn(value: unknown, code: string): Uint8Array {
  try {
    if (typeof value === 'string') return bytesOf(value)
  } catch { /* told below, without the value */ }
  throw new WalletError(code, phraseOf('Wallet_hexadecimal'))
}

function entryOf(value: unknown): WalletEntry {
  const entry = value as Partial<WalletEntry> | null
  const isHash = (text: unknown): text is string => typeof text === 'string' && /^[0-9a-fA-F]{64}$/.test(text)
  if (!entry || !Number.isInteger(entry.site) || !isHash(entry.schemaId) || !isHash(entry.pseudonym)) {
    throw new WalletError('wallet-content', phraseOf('Wallet_entry'))
  }
  return { site: entry.site!, schemaId: entry.schemaId.toLowerCase(), pseudonym: entry.pseudonym.toLowerCase() }
}
