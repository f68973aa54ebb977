/** Every key of a person, from one seed (docs/WIRE.md, "Patients' keys"). */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { expand } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { u32, word } from './bytes.ts'

/** What a patient hands to the site: with it the site finds addresses, and no key. */
export interface PayoutAccount { readonly publicKey: Uint8Array; readonly chainCode: Uint8Array }

/** The private key that commands a pseudonym. */
export const controllerKey = (seed: Uint8Array, pseudonym: Uint8Array): Uint8Array => child(seed, 'emrmarket controller tweak v1 ', pseudonym, u32(0), u32(0))

/** The private key of the address that a sale is paid to. */
export const payoutKey = (seed: Uint8Array, pseudonym: Uint8Array, epoch: number, index: number): Uint8Array =>
  child(seed, 'emrmarket payout tweak v1 ', pseudonym, u32(epoch), u32(index))

/** The private key of the account whose children the other keys of a patient are. */
export const patientAccountKey = (seed: Uint8Array): Uint8Array => scalar(seed, 'emrmarket patient account v1 ')

/** The account's public half. */
export const payoutAccount = (seed: Uint8Array): PayoutAccount =>
  ({ publicKey: secp256k1.getPublicKey(patientAccountKey(seed), true), chainCode: chainCode(seed) })

/** The private key of a researcher's account. */
export const accountKey = (seed: Uint8Array): Uint8Array => scalar(seed, 'emrmarket account key v1 ')

const chainCode = (seed: Uint8Array): Uint8Array => expand(sha256, seed, utf8ToBytes('emrmarket chain code v1 '), 32)

// BIP-32's children that are not hardened: the site finds their public keys from the account's alone.
function child(seed: Uint8Array, purpose: string, ...place: Uint8Array[]): Uint8Array {
  const { Fn } = secp256k1.Point
  const key = patientAccountKey(seed)
  const sum = Fn.add(Fn.fromBytes(key), Fn.fromBytes(scalar(chainCode(seed), purpose, ...place)))
  return sum === 0n ? key : word(sum)
}

function scalar(secret: Uint8Array, purpose: string, ...place: Uint8Array[]): Uint8Array {
  // Not every 32 bytes are a key of secp256k1; those that are not (1 in 2^128) are passed over.
  for (let attempt = 0; attempt < 256; attempt++) {
    const key = expand(sha256, secret, concatBytes(utf8ToBytes(purpose), ...place, Uint8Array.of(attempt)), 32)
    if (isScalar(key)) return key
  }
  throw new Error('no key in 256 attempts')
}

// The order of secp256k1 begins with 15 bytes of ones and fe (SEC 2, 2.4.1): whatever begins with less lies below it.
function isScalar(key: Uint8Array): boolean {
  const head = key.subarray(0, 16)
  return key.some(byte => byte !== 0) && !(head.subarray(0, 15).every(byte => byte === 0xff) && head[15]! >= 0xfe)
}
