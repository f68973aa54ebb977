// Keys, phrases, wallets, openings and signatures of the browser against docs/vectors, which other programs made.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

const keys = await import(pathToFileURL(process.env.EMR_BROWSER_BUNDLE).href)
const vector = name => JSON.parse(readFileSync(new URL(`../../../docs/vectors/${name}.json`, import.meta.url), 'utf8'))
const wallet = vector('wallet')
const seed = keys.bytesOf(wallet.seed), pseudonym = keys.bytesOf(wallet.pseudonym)
const refuses = (code, act) => assert.rejects(async () => act(), error => error instanceof keys.WalletError && error.code === code)

test('Keys_of_a_seed_are_those_of_the_vectors', () => {
  assert.equal(keys.hexOf(keys.controllerKey(seed, pseudonym)), wallet.controller)
  assert.equal(keys.hexOf(keys.accountKey(seed)), wallet.account)
  const { publicKey, chainCode } = keys.payoutAccount(seed)
  assert.deepEqual({ key: keys.hexOf(keys.patientAccountKey(seed)), publicKey: keys.hexOf(publicKey), chainCode: keys.hexOf(chainCode) }, wallet.patientAccount)
  for (const { epoch, index, key } of wallet.payouts) assert.equal(keys.hexOf(keys.payoutKey(seed, pseudonym, epoch, index)), key)
})

test('Phrase_of_a_seed_is_that_of_the_vectors_and_reads_back', () => {
  assert.equal(keys.writePhrase(seed), wallet.phrase)
  assert.deepEqual(keys.readPhrase(wallet.phrase.toUpperCase().replaceAll(' ', '-\n')), seed)
})

test('Phrase_with_a_slip_is_refused_by_name', async () => {
  const words = wallet.phrase.split(' ')
  await refuses('phrase-length', () => keys.readPhrase(words.slice(1).join(' ')))
  await refuses('phrase-word', () => keys.readPhrase(['quick', ...words.slice(1)].join(' ')))
  await refuses('phrase-checksum', () => keys.readPhrase([words[1], words[0], ...words.slice(2)].join(' ')))
})

test('Wallet_of_another_program_opens_under_its_passphrase_typed_in_another_form', async () => {
  for (const form of ['NFC', 'NFD']) {
    const opened = await keys.openWallet(JSON.stringify(wallet.wallet), wallet.passphrase.normalize(form))
    assert.deepEqual(opened, { seed, entries: [{ site: 3, schemaId: wallet.schemaId, pseudonym: wallet.pseudonym }] })
  }
})

test('Wallet_is_sealed_to_the_byte_as_the_vectors', async () => {
  const { cost, salt, nonce } = wallet.wallet
  const sealed = await keys.sealWith(
    { seed, entries: [{ site: 3, schemaId: wallet.schemaId, pseudonym: wallet.pseudonym }] }, wallet.passphrase, cost, keys.bytesOf(salt), keys.bytesOf(nonce))
  assert.deepEqual(JSON.parse(sealed), wallet.wallet)
})

test('Wallet_that_was_altered_or_is_none_is_refused_by_name', async () => {
  const box = wallet.wallet, open = file => keys.openWallet(typeof file === 'string' ? file : JSON.stringify(file), wallet.passphrase)
  const flipped = hex => (hex[0] === '0' ? '1' : '0') + hex.slice(1)
  await refuses('not-a-wallet', () => open('{'))
  await refuses('not-a-wallet', () => open({ ...box, more: 1 }))
  await refuses('not-a-wallet', () => open({ ...box, format: 'other' }))
  await refuses('not-a-wallet', () => open({ ...box, salt: 'zz' }))
  await refuses('future-version', () => open({ ...box, version: 2 }))
  for (const cost of [8192, 2 ** 21, 20000, '16384']) await refuses('wallet-parameters', () => open({ ...box, cost }))
  await refuses('wallet-parameters', () => open({ ...box, nonce: box.nonce + '00' }))
  await refuses('wallet-locked', () => open({ ...box, content: flipped(box.content) }))
  await refuses('wallet-locked', () => open({ ...box, tag: flipped(box.tag) }))
  await refuses('wallet-locked', () => open({ ...box, cost: 32768 }))
  await refuses('wallet-locked', () => keys.openWallet(JSON.stringify(box), 'another'))
  await refuses('passphrase-empty', () => keys.sealWallet({ seed, entries: [] }, ''))
})

test('New_wallets_differ_and_what_is_sealed_opens_again', async () => {
  const [one, other] = [keys.newWallet(), keys.newWallet()]
  assert.notDeepEqual(one.seed, other.seed)
  assert.deepEqual(await keys.openWallet(await keys.sealWallet(one, 'passphrase'), 'passphrase'), one)
})

const leaf = name => vector('leaves').leaves.find(each => each.name === name)

test('Leaf_of_a_member_and_of_a_delivery_have_the_hashes_of_the_vectors', () => {
  for (const [kind, name] of [['member', 'member'], ['delivery', 'delivery']]) {
    const { rootId, position, fields, hash } = leaf(name)
    // In a tree of depth 0 the leaf is the root; its position is part of its hash all the same.
    const shape = { batchId: rootId.slice(2), position: 0, root: '', leaf: Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, String(v).replace(/^0x(?=.{64}$)/, '')])), path: [] }
    const word = value => keys.word(BigInt(value))
    const payload = kind === 'member'
      ? [fields.pseudonym, fields.controller, fields.localClass, fields.payoutRoot, fields.previousEpoch, fields.previousPosition, fields.salt]
      : [fields.localClass, fields.memberPosition, fields.payoutAddress, fields.reportHash]
    const sum = kind === 'member' ? 1n : keys.sumOf(BigInt(fields.amount), 1n, BigInt(fields.effective))
    assert.equal('0x' + keys.hexOf(keys.leafHash(kind === 'member' ? 1 : 7, keys.bytesOf(rootId), BigInt(position), payload.map(word), sum)), hash)
    const atZero = keys.leafHash(kind === 'member' ? 1 : 7, keys.bytesOf(rootId), 0n, payload.map(word), sum)
    assert.equal(keys.openingHolds(kind, shape, keys.hexOf(atZero)).holds, true)
    assert.equal(keys.openingHolds(kind, { ...shape, leaf: { ...shape.leaf, localClass: '6' } }, keys.hexOf(atZero)).holds, false)
  }
})

test('Opening_of_every_slot_of_the_deliveries_leads_to_their_root_and_no_altered_one_does', () => {
  let checked = 0
  for (const delivery of vector('trees').deliveries) {
    for (const opening of delivery.openings.filter(each => each.height === 0)) {
      const fields = delivery.leaves[opening.position]
      if (!fields || /^0x0*$/.test(fields.payoutAddress)) continue
      const answered = {
        batchId: delivery.rootId.slice(2), position: opening.position, root: '', path: opening.path,
        leaf: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, name === 'reportHash' ? value.slice(2) : String(value)])),
      }
      const { holds, opened } = keys.openingHolds('delivery', answered, delivery.root.slice(2))
      assert.ok(holds)
      assert.equal(opened.total, BigInt(delivery.sum))
      assert.equal(opened.before, BigInt(opening.prefix))
      assert.ok(!keys.openingHolds('delivery', { ...answered, leaf: { ...answered.leaf, amount: String(BigInt(fields.amount) + 1n) } }, delivery.root.slice(2)).holds)
      checked++
    }
  }
  assert.ok(checked >= 3)
})

test('Sums_that_overflow_a_lane_are_refused', () => {
  for (const [a, b] of vector('trees').sumOverflows) assert.throws(() => keys.addSums(BigInt(a), BigInt(b)), RangeError)
})

const anyKey = keys.bytesOf(createHmac('sha256', 'key').update('1').digest('hex'))
const siwe = {
  host: 'market.example:5080', origin: 'https://market.example:5080', address: keys.addressOf(anyKey), resource: `urn:emrmarket:publisher:hospital/${'a'.repeat(64)}/${'b'.repeat(64)}`,
}
const message = [
  `${siwe.host} wants you to sign in with your Ethereum account:`, siwe.address, '', 'Sign in to the market.', '', `URI: ${siwe.origin}/`, 'Version: 1', 'Chain ID: 31337', 'Nonce: abcdefgh12345678',
  'Issued At: 2026-01-01T00:00:00Z', 'Expiration Time: 2026-01-01T00:05:00Z', 'Resources:', `- ${siwe.resource}`,
].join('\n')

test('Sign_in_message_is_signed_only_when_it_names_host_account_and_record', () => {
  assert.equal(keys.signInFault(message, siwe), undefined)
  for (const changed of [
    { ...siwe, host: 'evil.example' }, { ...siwe, origin: 'https://evil.example' }, { ...siwe, address: '0x' + '1'.repeat(40) }, { ...siwe, resource: siwe.resource.replace('b', 'c') },
    { ...siwe, resource: undefined },
  ]) assert.notEqual(keys.signInFault(message, changed), undefined)
  for (const line of ['Nonce', 'Expiration Time', 'URI']) {
    assert.notEqual(keys.signInFault(message.split('\n').filter(each => !each.startsWith(line)).join('\n'), siwe), undefined)
  }
})

test('Command_has_the_digest_that_EIP712_prescribes', async () => {
  // The digest is formed here from the specification alone and compared through the recovered signer.
  const { keccak_256 } = await import(pathToFileURL(`${process.env.EMR_BROWSER_MODULES}/@noble/hashes/sha3.js`).href)
  const { secp256k1 } = await import(pathToFileURL(`${process.env.EMR_BROWSER_MODULES}/@noble/curves/secp256k1.js`).href)
  const text = value => keccak_256(new TextEncoder().encode(value))
  const contract = '0x' + '5'.repeat(40)
  const words = (...parts) => keccak_256(Uint8Array.from(parts.flatMap(part => [...part])))
  const separator = words(text('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'), text('EmrMarket'), text('1'), keys.word(31337n), keys.word(BigInt(contract)))
  const command = { nonce: 7n, kind: 'setPolicy', profile: 3, rate: 1, quota: 4, purpose: 2, expirySeconds: 1900000000 }
  const struct = words(
    text('PublisherCommand(bytes32 schemaId,bytes32 pseudonym,uint64 nonce,uint8 kind,uint8 profile,uint8 rate,uint16 quota,uint8 purpose,uint64 expiry)'),
    keys.bytesOf(wallet.schemaId), pseudonym, ...[7n, 1n, 3n, 1n, 4n, 2n, 1900000000n].map(keys.word))
  const digest = words(Uint8Array.of(0x19, 0x01), separator, struct)
  const signature = keys.bytesOf(keys.signCommand({ chainId: 31337n, accessControl: contract, schemaId: wallet.schemaId, pseudonym: wallet.pseudonym }, command, anyKey))
  assert.equal(signature.length, 65)
  assert.ok(secp256k1.verify(signature.slice(0, 64), digest, secp256k1.getPublicKey(anyKey), { prehash: false }))

  const account = keys.payoutAccount(seed), domain = { chainId: 31337n, accessControl: contract, schemaId: wallet.schemaId, pseudonym: wallet.pseudonym }
  const signed = (hash, by) => assert.ok(secp256k1.verify(
    keys.bytesOf(by).slice(0, 64), words(Uint8Array.of(0x19, 0x01), separator, hash), secp256k1.getPublicKey(anyKey), { prehash: false }))
  signed(words(
    text('PublisherTakeOver(bytes32 schemaId,bytes32 pseudonym,uint64 nonce,uint8 accountPrefix,bytes32 accountX,bytes32 chainCode)'),
    keys.bytesOf(wallet.schemaId), pseudonym, keys.word(7n), keys.word(BigInt(account.publicKey[0])), account.publicKey.slice(1), account.chainCode),
  keys.signTakeOver(domain, 7n, account, anyKey))
  signed(words(text('Revocation(uint32 site,bytes32 pseudonym)'), keys.word(3n), pseudonym), keys.signRevocation(domain, 3, anyKey))
})

test('Transaction_is_of_the_signer_and_says_what_was_asked', async () => {
  const { Transaction } = await import(pathToFileURL(`${process.env.EMR_BROWSER_MODULES}/micro-eth-signer/index.js`).href)
  const raw = keys.signCall({ what: '', to: '0x' + 'ab'.repeat(20), data: '0x01020304' }, { chainId: 31337, nonce: 5, baseFeePerGas: '1000000000', gas: 1000000 }, 1, anyKey)
  const read = Transaction.fromHex(raw)
  assert.equal(read.sender.toLowerCase(), keys.addressOf(anyKey))
  assert.deepEqual(
    [read.raw.to.toLowerCase(), read.raw.data, read.raw.nonce, read.raw.chainId, read.raw.value, read.raw.maxFeePerGas],
    ['0x' + 'ab'.repeat(20), '0x01020304', 6n, 31337n, 0n, 3000000000n])
})
