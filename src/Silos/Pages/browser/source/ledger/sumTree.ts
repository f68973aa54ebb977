/** Openings of the ledger's sum trees, checked here in the browser (docs/WIRE.md, "Trees"). */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes } from '@noble/hashes/utils.js'
import { bytesOf, hexOf, word } from '../keys/bytes.ts'

/** A node: its hash and its sum word. */
export interface Node { readonly hash: Uint8Array; readonly sum: bigint }

/** What an opening proves: the sum of the whole tree, and that of all earlier positions. */
export interface Opened { readonly root: Uint8Array; readonly total: bigint; readonly before: bigint }

/** The kinds of leaf that are checked here. */
export const leafKinds = { member: 1, delivery: 7 } as const

const laneWidths = [128n, 32n, 96n]

/** The value, count and effective lanes of a sum word. */
export const laneOf = (sum: bigint, lane: 'value' | 'count' | 'effective'): bigint =>
  lane === 'value' ? sum & ((1n << 128n) - 1n) : lane === 'count' ? (sum >> 128n) & 0xffffffffn : sum >> 160n

/** A sum word of its lanes. */
export const sumOf = (value: bigint, count: bigint, effective: bigint): bigint => value | (count << 128n) | (effective << 160n)

/** Adds lane by lane. Throws a RangeError when a lane overflows, which makes a path invalid. */
export function addSums(a: bigint, b: bigint): bigint {
  let [sum, at] = [0n, 0n]
  for (const width of laneWidths) {
    const mask = (1n << width) - 1n
    const lane = ((a >> at) & mask) + ((b >> at) & mask)
    if (lane > mask) throw new RangeError('a sum overflows')
    sum |= lane << at
    at += width
  }
  return sum
}

/** The hash of a leaf. */
export const leafHash = (kind: number, rootId: Uint8Array, position: bigint, payload: readonly Uint8Array[], sum: bigint): Uint8Array =>
  keccak_256(concatBytes(Uint8Array.of(0, kind), rootId, word(position).subarray(24), ...payload, word(sum)))

/** The node above two. */
export const nodeOf = (left: Node, right: Node): Node => ({
  hash: keccak_256(concatBytes(Uint8Array.of(1), left.hash, word(left.sum), right.hash, word(right.sum))),
  sum: addSums(left.sum, right.sum),
})

/** Climbs from a leaf to the root. */
export function climb(leaf: Node, position: bigint, path: readonly Node[]): Opened {
  if (position >> BigInt(path.length)) throw new RangeError('the position lies outside the tree')
  let [node, before] = [leaf, 0n]
  path.forEach((sibling, height) => {
    if ((position >> BigInt(height)) & 1n) {
      before = addSums(before, sibling.sum)
      node = nodeOf(sibling, node)
    } else {
      node = nodeOf(node, sibling)
    }
  })
  return { root: node.hash, total: node.sum, before }
}

/** An opening as the API answers it. */
export interface Opening {
  readonly batchId: string
  readonly position: number
  readonly root: string
  readonly leaf: Readonly<Record<string, string>>
  readonly path: readonly { readonly hash: string; readonly sum: string }[]
}

/**
 * Computes an opening of a member or of a delivery's slot up to its root; says whether that is the root stated by the ledger.
 * The root to compare with comes from another question than the opening.
 */
export function openingHolds(kind: keyof typeof leafKinds, opening: Opening, rootOnLedger: string): { holds: boolean; opened: Opened } {
  const field = (name: string): string => {
    const value = opening.leaf[name]
    if (value === undefined) throw new RangeError(`the leaf has no ${name}`)
    return value
  }
  const hash = (name: string): Uint8Array => bytesOf(field(name), 32)
  const number = (name: string): Uint8Array => word(BigInt(field(name)))
  const address = (name: string): Uint8Array => word(BigInt('0x' + hexOf(bytesOf(field(name), 20))))
  const [payload, sum] = kind === 'member'
    ? [[hash('pseudonym'), address('controller'), number('localClass'), hash('payoutRoot'), number('previousEpoch'), number('previousPosition'), hash('salt')], 1n]
    : [[number('localClass'), number('memberPosition'), address('payoutAddress'), hash('reportHash')],
      sumOf(BigInt(field('amount')), 1n, BigInt(field('effective')))]
  // An empty leaf has hash 0 and sum 0, whatever else stands in it: nothing was delivered there.
  const isEmpty = /^(0x)?0+$/.test(field(kind === 'member' ? 'pseudonym' : 'payoutAddress'))
  const leaf: Node = isEmpty ? { hash: new Uint8Array(32), sum: 0n }
    : { hash: leafHash(leafKinds[kind], bytesOf(opening.batchId, 32), BigInt(opening.position), payload, sum), sum }
  const opened = climb(leaf, BigInt(opening.position), opening.path.map(node => ({ hash: bytesOf(node.hash, 32), sum: BigInt(node.sum) })))
  return { holds: hexOf(opened.root) === rootOnLedger.replace(/^0x/, ''), opened }
}

// Where a root stands among the words of header and posting (docs/WIRE.md, "Batches").
const rootWord = { member: 8, delivery: 7 } as const

/** The root inside what a contract's commitment is the hash of, and that hash: whoever asks the contract elsewhere compares one word. */
export function committedRoot(kind: keyof typeof leafKinds, committed: string): { root: string; commitment: string } {
  const bytes = bytesOf(committed)
  const at = rootWord[kind] * 32
  if (bytes.length < at + 32) throw new RangeError('a commitment is of whole words')
  return { root: hexOf(bytes.subarray(at, at + 32)), commitment: hexOf(keccak_256(bytes)) }
}
