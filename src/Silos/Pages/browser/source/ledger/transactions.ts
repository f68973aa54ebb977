/** Calls of the ledger that a researcher signs (EIP-1559) and the server only passes on. */
import { addr, Transaction } from 'micro-eth-signer'
import { hexOf } from '../keys/bytes.ts'

/** A call as the API answers it. */
export interface Call { readonly what: string; readonly to: string; readonly data: string }

/** What the account of the signer stands at. */
export interface Account { readonly chainId: number | string; readonly nonce: number | string; readonly baseFeePerGas: string; readonly gas: number | string }

// A wei per unit of gas; the base fee may double before the call is in a block.
const tip = 1_000_000_000n

/** Signs a call as the account's transaction number nonce + place: 0x and its bytes. */
export function signCall(call: Call, account: Account, place: number, key: Uint8Array): string {
  const base = BigInt(account.baseFeePerGas)
  return Transaction.prepare({
    type: 'eip1559',
    chainId: BigInt(account.chainId),
    nonce: BigInt(account.nonce) + BigInt(place),
    maxPriorityFeePerGas: tip,
    maxFeePerGas: 2n * base + tip,
    gasLimit: BigInt(account.gas),
    to: addr.addChecksum(call.to),
    value: 0n,
    data: call.data,
  }).signBy(hexOf(key)).toHex()
}
