/** Why a wallet or a recovery phrase cannot be read (docs/WIRE.md, "Wallet"). Its text never holds words, passphrase, seed or pseudonyms. */
export class WalletError extends Error {
  constructor(readonly code: string, message: string) {
    super(message)
    this.name = 'WalletError'
  }
}
