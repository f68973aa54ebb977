/** What people sign: the sign-in (EIP-4361) and patients' commands (EIP-712; docs/WIRE.md, "Patients' messages"). */
import { addr, eip191Signer, signTyped } from 'micro-eth-signer'
import { bytesOf, hexOf } from '../keys/bytes.ts'
import type { PayoutAccount } from '../keys/derivedKeys.ts'
import { phraseOf } from '../phrases.ts'

/** The address of a private key: 0x and 40 lower-case digits. */
export const addressOf = (key: Uint8Array): string => addr.fromPrivateKey(hexOf(key)).toLowerCase()

/** What a sign-in must say before it is signed. */
export interface SignInExpected { readonly host: string; readonly origin: string; readonly address: string; readonly resource?: string }

/**
 * What is wrong with a sign-in message; undefined when it may be signed. A message that names another host, account or record would let somebody else act in the signer's name.
 */
export function signInFault(message: string, expected: SignInExpected): string | undefined {
  const lines = message.split('\n')
  const value = (name: string): string | undefined => lines.find(line => line.startsWith(`${name}: `))?.slice(name.length + 2)
  const resources = lines.filter(line => line.startsWith('- ')).map(line => line.slice(2))
  if (lines[0] !== `${expected.host} wants you to sign in with your Ethereum account:`) return phraseOf('Fault_host')
  if (lines[1]?.toLowerCase() !== expected.address) return phraseOf('Fault_account')
  if (!(value('URI') ?? '').startsWith(expected.origin)) return phraseOf('Fault_address')
  if (!value('Nonce')) return phraseOf('Fault_nonce')
  if (!value('Expiration Time')) return phraseOf('Fault_expiry')
  if (expected.resource === undefined ? resources.length > 0 : resources.length !== 1 || resources[0] !== expected.resource) return phraseOf('Fault_record')
  return undefined
}

/** Signs a text as EIP-191 says: 0x and 65 bytes. */
export const signText = (text: string, key: Uint8Array): string => eip191Signer.sign(text, hexOf(key))

/** For whom and where a patient's message holds. */
export interface PublisherDomain { readonly chainId: bigint; readonly accessControl: string; readonly schemaId: string; readonly pseudonym: string }

/** Kinds of command, as the ledger of docs/WIRE.md numbers them. */
export const commandKinds = { setPolicy: 1, pause: 2, resume: 3, withdraw: 4 } as const

/** A patient's command; all members below kind are 0 unless it sets a policy. */
export interface PublisherCommand {
  readonly nonce: bigint
  readonly kind: keyof typeof commandKinds
  readonly profile: number
  readonly rate: number
  readonly quota: number
  readonly purpose: number
  readonly expirySeconds: number
}

const commandTypes = {
  PublisherCommand: [
    { name: 'schemaId', type: 'bytes32' }, { name: 'pseudonym', type: 'bytes32' }, { name: 'nonce', type: 'uint64' }, { name: 'kind', type: 'uint8' },
    { name: 'profile', type: 'uint8' }, { name: 'rate', type: 'uint8' }, { name: 'quota', type: 'uint16' }, { name: 'purpose', type: 'uint8' }, { name: 'expiry', type: 'uint64' },
  ],
} as const

const takeOverTypes = {
  PublisherTakeOver: [
    { name: 'schemaId', type: 'bytes32' }, { name: 'pseudonym', type: 'bytes32' }, { name: 'nonce', type: 'uint64' }, { name: 'accountPrefix', type: 'uint8' },
    { name: 'accountX', type: 'bytes32' }, { name: 'chainCode', type: 'bytes32' },
  ],
} as const

/** Signs the handing in of a payout account, once as the controller so far and once as the account itself: 0x and 65 bytes each. */
export const signTakeOver = (domain: PublisherDomain, nonce: bigint, account: PayoutAccount, key: Uint8Array): string => signTyped({
  types: takeOverTypes,
  primaryType: 'PublisherTakeOver',
  domain: { name: 'EmrMarket', version: '1', chainId: domain.chainId, verifyingContract: domain.accessControl },
  message: {
    schemaId: bytesOf(domain.schemaId, 32), pseudonym: bytesOf(domain.pseudonym, 32), nonce, accountPrefix: BigInt(account.publicKey[0]!), accountX: account.publicKey.slice(1),
    chainCode: account.chainCode,
  },
} as never, hexOf(key))

const revocationTypes = { Revocation: [{ name: 'site', type: 'uint32' }, { name: 'pseudonym', type: 'bytes32' }] } as const

/** Signs the ledger's revocation of a pseudonym: 0x and 65 bytes. */
export const signRevocation = (domain: PublisherDomain, site: number, key: Uint8Array): string => signTyped({
  types: revocationTypes,
  primaryType: 'Revocation',
  domain: { name: 'EmrMarket', version: '1', chainId: domain.chainId, verifyingContract: domain.accessControl },
  message: { site: BigInt(site), pseudonym: bytesOf(domain.pseudonym, 32) },
} as never, hexOf(key))

/** Signs a command with the pseudonym's controller key: 0x and 65 bytes. */
export const signCommand = (domain: PublisherDomain, command: PublisherCommand, key: Uint8Array): string => signTyped({
  types: commandTypes,
  primaryType: 'PublisherCommand',
  domain: { name: 'EmrMarket', version: '1', chainId: domain.chainId, verifyingContract: domain.accessControl },
  message: {
    schemaId: bytesOf(domain.schemaId, 32), pseudonym: bytesOf(domain.pseudonym, 32), nonce: command.nonce, kind: BigInt(commandKinds[command.kind]),
    profile: BigInt(command.profile), rate: BigInt(command.rate), quota: BigInt(command.quota), purpose: BigInt(command.purpose), expiry: BigInt(command.expirySeconds),
  },
} as never, hexOf(key))
