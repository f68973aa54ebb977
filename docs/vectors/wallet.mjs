// Makes wallet.json: keys, phrase and a sealed wallet by Node's crypto, which shares no code with the library. Run: node docs/vectors/wallet.mjs > docs/vectors/wallet.json
import { createCipheriv, createECDH, createHash, createHmac, scryptSync } from 'node:crypto'

const expand = (key, info) => createHmac('sha256', key).update(Buffer.concat([info, Buffer.from([1])])).digest()
const u32 = value => { const b = Buffer.alloc(4); b.writeUInt32LE(value); return b }
const u64 = value => { const b = Buffer.alloc(8); b.writeBigUInt64LE(value); return b }
const hex = bytes => bytes.toString('hex')
const siteKey = createHash('sha256').update('site key').digest()
const schemaId = createHash('sha256').update('schema').digest()
const person = 0x0102030405060708n, record = 0xfffefdfcfbfaf9f8n
const seed = expand(siteKey, Buffer.concat([Buffer.from('emrmarket patient seed v1 '), u64(person)]))
const pseudonym = expand(siteKey, Buffer.concat([Buffer.from('emrmarket ledger pseudonym v1 '), schemaId, u64(record)]))
const zero = Buffer.from([0]), number = bytes => BigInt('0x' + hex(bytes))
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const accountKey = expand(seed, Buffer.concat([Buffer.from('emrmarket patient account v1 '), zero]))
const chainCode = expand(seed, Buffer.from('emrmarket chain code v1 '))
const child = (purpose, epoch, index) => {
  const tweak = expand(chainCode, Buffer.concat([Buffer.from(purpose), pseudonym, u32(epoch), u32(index), zero]))
  return { tweak: hex(tweak), key: ((number(accountKey) + number(tweak)) % order).toString(16).padStart(64, '0') }
}
const publicOf = key => { const curve = createECDH('secp256k1'); curve.setPrivateKey(key); return curve.getPublicKey('hex', 'compressed') }

const consonants = 'bdfghjklmnprstvz', vowels = 'aiou'
const quint = v => consonants[v >> 12] + vowels[v >> 10 & 3] + consonants[v >> 6 & 15] + vowels[v >> 4 & 3] + consonants[v & 15]
const phrase = bytes => {
  const all = Buffer.concat([bytes, createHash('sha256').update(bytes).digest().subarray(0, 4)])
  return Array.from({ length: all.length / 2 }, (_, i) => quint(all.readUInt16BE(2 * i))).join(' ')
}

const passphrase = 'Grüße, a passphrase', cost = 16384
const salt = createHash('sha256').update('salt').digest().subarray(0, 16), nonce = createHash('sha256').update('nonce').digest().subarray(0, 12)
const key = scryptSync(Buffer.from(passphrase.normalize('NFKC')), salt, 32, { N: cost, r: 8, p: 1, maxmem: 1 << 26 })
const cipher = createCipheriv('aes-256-gcm', key, nonce)
cipher.setAAD(Buffer.from(`emr-wallet 1 ${cost} ${hex(salt)}`))
const plain = JSON.stringify({ seed: hex(seed), entries: [{ site: 3, schemaId: hex(schemaId), pseudonym: hex(pseudonym) }] })
const content = Buffer.concat([cipher.update(plain), cipher.final()])
console.log(JSON.stringify({
  siteKey: hex(siteKey), schemaId: hex(schemaId), person: person.toString(), record: record.toString(), seed: hex(seed), pseudonym: hex(pseudonym),
  patientAccount: { key: hex(accountKey), publicKey: publicOf(accountKey), chainCode: hex(chainCode) },
  controller: child('emrmarket controller tweak v1 ', 0, 0).key,
  account: hex(expand(seed, Buffer.concat([Buffer.from('emrmarket account key v1 '), Buffer.from([0])]))),
  payouts: [[1, 0], [1, 1], [4000000000, 65535]].map(([epoch, index]) => ({ epoch, index, ...child('emrmarket payout tweak v1 ', epoch, index) })),
  phrase: phrase(seed), passphrase,
  wallet: { format: 'emr-wallet', version: 1, cost, salt: hex(salt), nonce: hex(nonce), tag: hex(cipher.getAuthTag()), content: hex(content) }
}, null, 2))
