/** Bytes of fixed widths, as docs/WIRE.md writes them. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'

export { bytesToHex as hexOf }

/** Bytes from hexadecimal digits, with or without 0x. Throws a RangeError on anything else, or on another length than wanted. */
export function bytesOf(hex: string, length?: number): Uint8Array {
  const digits = hex.startsWith('0x') ? hex.slice(2) : hex
  if (!/^([0-9a-fA-F]{2})*$/.test(digits) || (length !== undefined && digits.length !== 2 * length)) {
    throw new RangeError(length === undefined ? 'not hexadecimal' : `not ${length} bytes in hexadecimal`)
  }
  return hexToBytes(digits)
}

/** A 32-bit number, lowest byte first. */
export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

/** A 256-bit number, highest byte first: a word of the ledger. */
export function word(value: bigint): Uint8Array {
  if (value < 0n || value >> 256n) throw new RangeError('a word has 256 bits')
  return bytesOf(value.toString(16).padStart(64, '0'))
}

/** SHA-256 as 64 hexadecimal digits; the browser's own is there on secure pages only. */
export const sha256Of = (bytes: Uint8Array): string => bytesToHex(sha256(bytes))
