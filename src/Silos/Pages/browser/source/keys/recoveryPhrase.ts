/** A seed as 18 words of 16 bits (proquints, arXiv:0901.4016); the last two are a checksum (docs/WIRE.md, "Wallet"). */
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from '@noble/hashes/utils.js'
import { phraseOf } from '../phrases.ts'
import { WalletError } from './walletError.ts'

const consonants = 'bdfghjklmnprstvz'
const vowels = 'aiou'
const seedBytes = 32
const checksumBytes = 4
const words = (seedBytes + checksumBytes) / 2

/** The words of a seed, joined by blanks. */
export function writePhrase(seed: Uint8Array): string {
  if (seed.length !== seedBytes) throw new RangeError(`a seed has ${seedBytes} bytes`)
  const all = new DataView(concatBytes(seed, sha256(seed).subarray(0, checksumBytes)).buffer)
  return Array.from({ length: words }, (_, i) => wordOf(all.getUint16(2 * i))).join(' ')
}

/** Reads the words back; blanks, hyphens and capitals do not count. */
export function readPhrase(phrase: string): Uint8Array {
  const given = phrase.toLowerCase().split(/[\s-]+/).filter(word => word)
  if (given.length !== words) throw new WalletError('phrase-length', phraseOf('Recovery_length', words, given.length))
  const all = new Uint8Array(2 * words)
  given.forEach((word, i) => {
    const value = valueOf(word)
    if (value < 0) throw new WalletError('phrase-word', phraseOf('Recovery_word', i + 1))
    new DataView(all.buffer).setUint16(2 * i, value)
  })
  const seed = all.slice(0, seedBytes)
  if (!sha256(seed).subarray(0, checksumBytes).every((byte, i) => byte === all[seedBytes + i])) {
    throw new WalletError('phrase-checksum', phraseOf('Recovery_checksum'))
  }
  return seed
}

const wordOf = (v: number): string =>
  consonants[v >> 12]! + vowels[(v >> 10) & 3]! + consonants[(v >> 6) & 15]! + vowels[(v >> 4) & 3]! + consonants[v & 15]!

function valueOf(word: string): number {
  if (word.length !== 5) return -1
  let value = 0
  for (let i = 0; i < 5; i++) {
    const letters = i % 2 === 0 ? consonants : vowels
    const letter = letters.indexOf(word[i]!)
    if (letter < 0) return -1
    value = value * letters.length + letter
  }
  return value
}
