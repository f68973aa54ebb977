/** All that knows keys: loaded when a page first needs it. */
export { bytesOf, hexOf, sha256Of, u32, word } from './keys/bytes.ts'
export { accountKey, controllerKey, patientAccountKey, payoutAccount, payoutKey, type PayoutAccount } from './keys/derivedKeys.ts'
export { readPhrase, writePhrase } from './keys/recoveryPhrase.ts'
export { newWallet, openWallet, sealWallet, sealWith, type Wallet, type WalletEntry } from './keys/walletFile.ts'
export { WalletError } from './keys/walletError.ts'
export { addressOf, commandKinds, signCommand, signInFault, signRevocation, signTakeOver, signText, type PublisherCommand, type PublisherDomain } from './ledger/messages.ts'
export { signCall, type Account, type Call } from './ledger/transactions.ts'
export { addSums, climb, committedRoot, laneOf, leafHash, nodeOf, openingHolds, sumOf, type Opening } from './ledger/sumTree.ts'
