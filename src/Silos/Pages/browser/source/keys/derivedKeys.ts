/** Every key of a person, from one seed (docs/WIRE.md, "Patients' keys" and "A researcher's account"). */
import { expand } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { u32 } from './bytes.ts'

/** The private key that commands a pseudonym. */
export const controllerKey = (seed: Uint8Array, pseudonym: Uint8Array): Uint8Array => derive(seed, 'emrmarket controller key v1 ', pseudonym, u32(0), u32(0))

/** The private key of the address that a sale is paid to. */
export const payoutKey = (seed: Uint8Array, pseudonym: Uint8Array, epoch: number, index: number): Uint8Array =>
  derive(seed, 'emrmarket payout key v1 ', pseudonym, u32(epoch), u32(index))

/** The private key of a researcher's account. */
export const accountKey = (seed: Uint8Array): Uint8Array => derive(seed, 'emrmarket account key v1 ')

function derive(seed: Uint8Array, purpose: string, ...place: Uint8Array[]): Uint8Array {
  // Not every 32 bytes are a key of secp256k1; those that are not (1 in 2^128) are passed over.
  for (let attempt = 0; attempt < 256; attempt++) {
    const key = expand(sha256, seed, concatBytes(utf8ToBytes(purpose), ...place, Uint8Array.of(attempt)), 32)
    if (isScalar(key)) return key
  }
  throw new Error('no key in 256 attempts')
}

// The order of secp256k1 begins with 15 bytes of ones and fe (SEC 2, 2.4.1): whatever begins with less lies below it.
function isScalar(key: Uint8Array): boolean {
  const head = key.subarray(0, 16)
  return key.some(byte => byte !== 0) && !(head.subarray(0, 15).every(byte => byte === 0xff) && head[15]! >= 0xfe)
}
