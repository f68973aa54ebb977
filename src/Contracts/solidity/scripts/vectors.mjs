// Writes docs/vectors/*.json from docs/WIRE.md alone. Shares no code with the contracts or with C#: both are tested against these files.
// Numbers that may exceed 2^53 are decimal strings, bytes are 0x-hex.
import { keccak_256 } from "@noble/hashes/sha3.js";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../../../../docs/vectors");

const bytes = (hex) => Uint8Array.from(hex.slice(2).match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hex = (data) => "0x" + Buffer.from(data).toString("hex");
const fixed = (value, size) => bytes("0x" + BigInt(value).toString(16).padStart(2 * size, "0"));
const keccak = (...parts) => hex(keccak_256(Buffer.concat(parts.map((part) => (typeof part === "string" ? bytes(part) : part)))));
const text = (value) => hex(keccak_256(new TextEncoder().encode(value)));
const word = (value) => fixed(value, 32);
const ZERO = "0x" + "00".repeat(32);

// ---- trees ----------------------------------------------------------------------------------------------------------
const LANES = [[0n, 128n], [128n, 32n], [160n, 96n]];
function addSums(a, b) {
    return LANES.reduce((total, [shift, width]) => {
        const limit = (1n << width) - 1n;
        const lane = ((a >> shift) & limit) + ((b >> shift) & limit);
        if (lane > limit) throw new Error("a lane overflows");
        return total | (lane << shift);
    }, 0n);
}
const sumWord = ({ value = 0, count = 0, effective = 0 }) => BigInt(value) | (BigInt(count) << 128n) | (BigInt(effective) << 160n);
const leafHash = (kind, rootId, position, payload, sum) =>
    keccak(fixed(0, 1), fixed(kind, 1), rootId, fixed(position, 8), ...payload.map(word), word(sum));
const nodeHash = (left, right) => keccak(fixed(1, 1), left.hash, word(left.sum), right.hash, word(right.sum));
const empty = { hash: ZERO, sum: 0n };

function buildTree(leaves, depth) {
    const levels = [Array.from({ length: 2 ** depth }, (_, i) => leaves[i] ?? empty)];
    while (levels.at(-1).length > 1) {
        const below = levels.at(-1);
        levels.push(
            Array.from({ length: below.length / 2 }, (_, i) => ({
                hash: nodeHash(below[2 * i], below[2 * i + 1]),
                sum: addSums(below[2 * i].sum, below[2 * i + 1].sum),
            })),
        );
    }
    return levels;
}
function open(levels, position, height = 0) {
    const path = [];
    let prefix = 0n;
    for (let level = height, index = position; level < levels.length - 1; level++, index >>= 1) {
        const sibling = levels[level][index ^ 1];
        if (index & 1) prefix = addSums(prefix, sibling.sum);
        path.push({ hash: sibling.hash, sum: String(sibling.sum) });
    }
    return { position, height, hash: levels[height][position].hash, sum: String(levels[height][position].sum), prefix: String(prefix), path };
}

// ---- ids and leaves -------------------------------------------------------------------------------------------------
const chainId = 31337n;
const contracts = {
    accessControl: "0x1111111111111111111111111111111111111111",
    matching: "0x2222222222222222222222222222222222222222",
    evaluation: "0x3333333333333333333333333333333333333333",
};
const schemaId = text("schema");
const ids = {
    chainId: String(chainId),
    contracts,
    schemaId,
    epoch: { site: 3, epoch: 7, id: keccak(word(1), word(chainId), word(contracts.accessControl), word(3), schemaId, word(7)) },
    round: { ordinal: 4, attempt: 1, id: keccak(word(2), word(chainId), word(contracts.matching), schemaId, word(4), word(1)) },
    delivery: { requestId: 12, site: 3, attempt: 2, id: keccak(word(3), word(chainId), word(contracts.evaluation), word(12), word(3), word(2)) },
};

const pseudonym = text("pseudonym");
const member = {
    pseudonym,
    controller: "0x00000000000000000000000000000000000000a1",
    localClass: 5,
    payoutRoot: text("payouts"),
    previousEpoch: 6,
    previousPosition: 40,
    salt: text("salt"),
};
const class_ = {
    size: 25,
    quota: 3,
    ceilings: String(0x123456n),
    highWater: String(0x012340n),
    rates: ["0", "1000000", "2500001", "79228162514264337593543950335"],
    purposes: String((1n << 255n) | 6n),
    expiresAt: "1900000000",
    publicCell: text("age=40-49"),
};
const price = { premium: "340282366920938463463374607431768211455", supportRequest: 2, supportClass: 17, rank: 9 };
const surplus = { surplus: "77", dropped: true };
const delivery = {
    localClass: 5,
    memberPosition: 140,
    payoutAddress: "0x00000000000000000000000000000000000000b2",
    reportHash: text("reports"),
    amount: "123456789",
    effective: "2500000000",
};
const leaf = (name, kind, rootId, position, fields, payload, sum) => ({
    name, kind, rootId, position, fields, sum: String(sum), hash: leafHash(kind, rootId, position, payload, sum),
});
const leaves = [
    leaf("member", 1, ids.epoch.id, 140, member, Object.values(member), sumWord({ value: 1 })),
    leaf("class", 2, ids.epoch.id, 5, class_, Object.values(class_).flat(), sumWord({ value: class_.size })),
    leaf("price", 3, ids.round.id, 17, price, Object.values(price), 0n),
    leaf("surplus", 4, ids.round.id, 2, surplus, [surplus.surplus, 1], 0n),
    leaf("salesByClass", 5, ids.round.id, (17 << 3) | 2, { quantity: 11 }, [], sumWord({ value: 11 })),
    leaf("salesByRequest", 6, ids.round.id, (2 << 5) | 17, { quantity: 11 }, [], sumWord({ value: 11 })),
    leaf("delivery", 7, ids.delivery.id, 33, delivery, Object.values(delivery).slice(0, 4),
        sumWord({ value: delivery.amount, count: 1, effective: delivery.effective })),
    leaf("payout", 8, pseudonym, 14, { payoutAddress: delivery.payoutAddress }, [delivery.payoutAddress], 0n),
];

// ---- trees with gaps ------------------------------------------------------------------------------------------------
function salesTree(depth, quantities) {
    const filled = quantities.map((x, i) => (x ? { hash: leafHash(5, ids.round.id, i, [], sumWord({ value: x })), sum: sumWord({ value: x }) } : empty));
    const levels = buildTree(filled, depth);
    const positions = [...new Set([0, 1, quantities.length - 1, 2 ** depth - 1])].filter((p) => p < 2 ** depth);
    return {
        kind: 5, rootId: ids.round.id, depth, quantities, root: levels.at(-1)[0].hash, sum: String(levels.at(-1)[0].sum),
        openings: positions.map((p) => open(levels, p)).concat(depth > 1 ? [open(levels, 1, 1)] : []),
    };
}
function deliveryTree(depth, count) {
    const rows = Array.from({ length: count }, (_, i) => ({
        localClass: i % 3, memberPosition: 10 + i, payoutAddress: hex(fixed(0xc000 + i, 20)), reportHash: text("report " + i),
        amount: String(1000 + i), effective: String(500_000_000 + i),
    }));
    const filled = rows.map((row, i) => {
        const sum = sumWord({ value: row.amount, count: 1, effective: row.effective });
        return { hash: leafHash(7, ids.delivery.id, i, Object.values(row).slice(0, 4), sum), sum };
    });
    const levels = buildTree(filled, depth);
    return {
        kind: 7, rootId: ids.delivery.id, depth, leaves: rows, root: levels.at(-1)[0].hash, sum: String(levels.at(-1)[0].sum),
        openings: [0, count - 1].map((p) => open(levels, p)),
    };
}
const emptyRoots = [empty];
for (let height = 1; height <= 36; height++) emptyRoots.push({ hash: nodeHash(emptyRoots.at(-1), emptyRoots.at(-1)), sum: 0n });
const trees = {
    nodes: [
        [empty, empty],
        [{ hash: text("left"), sum: 1n }, { hash: text("right"), sum: sumWord({ value: 2, count: 3, effective: 4 }) }],
    ].map(([left, right]) => ({
        left: { hash: left.hash, sum: String(left.sum) }, right: { hash: right.hash, sum: String(right.sum) },
        hash: nodeHash(left, right), sum: String(addSums(left.sum, right.sum)),
    })),
    emptyRoots: emptyRoots.map(({ hash }) => hash),
    sumOverflows: [
        [(1n << 128n) - 1n, 1n], [0xffffffffn << 128n, 1n << 128n], [(2n ** 96n - 1n) << 160n, 1n << 160n], [2n ** 256n - 1n, 2n ** 256n - 1n],
    ].map((pair) => pair.map(String)),
    sales: [salesTree(0, [7]), salesTree(1, [0, 3]), salesTree(3, [1, 0, 0, 4, 5]), salesTree(5, Array.from({ length: 21 }, (_, i) => (i * 7) % 5))],
    deliveries: [deliveryTree(2, 3), deliveryTree(7, 70)],
};

// ---- rounding -------------------------------------------------------------------------------------------------------
const PPB = 1_000_000_000n;
const nibble = (packed, attribute) => Number((packed >> BigInt(4 * attribute)) & 15n);
const pack = (grades) => grades.reduce((packed, grade, i) => packed | (BigInt(grade) << BigInt(4 * i)), 0n);
const schema = {
    tiers: [0, 1, 2, 3, 3],
    ladderMicro: [250000, 500000, 1000000, 2000000, 3000000, 4000000],
    capMicro: "9000000",
    // Public; then floor(10^9 * ((e^eps - 1)/(e^eps + k - 1))^2) for k = 2, 3, 10; then a row that is not monotone
    quality: [
        Array(6).fill(1_000_000_000),
        ...[2, 3, 10].map((k) => [0.25, 0.5, 1, 2, 3, 4].map((e) => Math.floor(1e9 * ((Math.exp(e) - 1) / (Math.exp(e) + k - 1)) ** 2))),
        [1, 999_999_999, 5, 5, 1_000_000_000, 0],
    ],
};
function quote({ ceilings, rates, minimum, top }) {
    let ask = 0n, score = 0n;
    for (let a = 0; a < schema.tiers.length; a++) {
        if (!nibble(top, a)) continue;
        const grade = Math.min(nibble(ceilings, a), nibble(top, a));
        if (grade < nibble(minimum, a)) return { admissible: false, ask: 0n, score: 0n };
        const micro = schema.tiers[a] === 0 ? 0n : BigInt(schema.ladderMicro[grade - 1]);
        ask += (rates[schema.tiers[a]] * micro + 999_999n) / 1_000_000n;
        score += BigInt(schema.quality[a][grade - 1]);
    }
    return { admissible: true, ask, score };
}
function maximumScore(minimum, top) {
    let score = 0n;
    for (let a = 0; a < schema.tiers.length; a++) {
        if (!nibble(top, a)) continue;
        score += BigInt(Math.max(...schema.quality[a].slice(nibble(minimum, a) - 1, nibble(top, a))));
    }
    return score;
}
const cases = [
    { c: [1, 3, 3, 2, 0], m: [1, 3, 3, 2, 0], t: [1, 3, 3, 2, 0], rates: [5n, 100n, 333n, 1_000_001n], bid: 1_000_000n, premium: 7n, budget: 10n ** 9n, fee: 3n, target: 1000n },
    { c: [1, 6, 5, 4, 6], m: [1, 1, 1, 1, 2], t: [2, 4, 6, 2, 6], rates: [0n, 1n, 1n, 1n], bid: 1n, premium: 0n, budget: 100n, fee: 0n, target: 40n },
    { c: [1, 2, 5, 4, 6], m: [1, 3, 1, 1, 1], t: [1, 4, 6, 2, 6], rates: [0n, 9n, 8n, 7n], bid: 55n, premium: 0n, budget: 77777n, fee: 10n, target: 4294967295n },
    { c: [0, 3, 3, 3, 3], m: [1, 0, 0, 0, 0], t: [1, 0, 0, 0, 0], rates: [9n, 9n, 9n, 9n], bid: 3n, premium: 1n, budget: 3n, fee: 0n, target: 5n },
    { c: [1, 6, 6, 6, 6], m: [0, 0, 0, 1, 1], t: [0, 0, 0, 1, 6], rates: [0n, 0n, 0n, 2n ** 96n - 1n], bid: 2n ** 96n - 1n, premium: 2n ** 128n - 1n, budget: 2n ** 112n - 1n, fee: 2n ** 96n - 1n, target: 4294967295n },
    { c: [1, 1, 0, 0, 0], m: [0, 1, 0, 0, 0], t: [0, 1, 0, 0, 0], rates: [0n, 3n, 0n, 0n], bid: 999_999_999n, premium: 0n, budget: 10n ** 18n, fee: 1n, target: 12n },
];
const rounding = {
    schema: { ...schema, tiers: String(schema.tiers.reduce((packed, tier, i) => packed | (BigInt(tier) << BigInt(2 * i)), 0n)), quality: schema.quality.flat(), attributes: 5, grades: 6 },
    quotes: cases.map(({ c, m, t, rates, bid, premium, budget, fee, target }) => {
        const [ceilings, minimum, top] = [c, m, t].map(pack);
        const { admissible, ask, score } = quote({ ceilings, rates, minimum, top });
        const value = (bid * score) / PPB;
        const maximum = maximumScore(minimum, top);
        const perRecord = (bid * maximum) / PPB + fee;
        const capacity = perRecord === 0n ? target : budget / perRecord < target ? budget / perRecord : target;
        return {
            ceilings: String(ceilings), minimumGrades: String(minimum), topGrades: String(top), rates: rates.map(String), bid: String(bid),
            premium: String(premium), budget: String(budget), relayFee: String(fee), targetRecords: String(target),
            admissible, ask: String(ask), score: String(score), value: String(value), weight: String(value - ask), payment: String(ask + premium),
            maximumScore: String(maximum), capacity: String(capacity),
        };
    }),
    bonds: ["1", "2", "1000000000000000001"].map((bond) => ({ bond, reward: String(BigInt(bond) / 2n), burned: String(BigInt(bond) - BigInt(bond) / 2n) })),
};

// ---- seed and permutation -------------------------------------------------------------------------------------------
const reveal = text("reveal");
const blockHash = text("block");
const seed = keccak(reveal, blockHash);
const keyOf = (site, localClass) => keccak(seed, fixed(site, 4), fixed(localClass, 4));
function permute(key, size, start) {
    let bits = 2;
    while (2n ** BigInt(bits) < BigInt(size)) bits += 2;
    const half = BigInt(bits / 2), mask = (1n << half) - 1n;
    let x = BigInt(start);
    do {
        let left = x >> half, right = x & mask;
        for (let round = 0; round < 4; round++)
            [left, right] = [right, left ^ (BigInt(keccak(key, fixed(round, 1), fixed(right, 4))) & mask)];
        x = (left << half) | right;
    } while (x >= BigInt(size));
    return Number(x);
}
const feistel = {
    reveal, seedCommit: keccak(reveal), blockHash, seed,
    permutations: [1, 2, 3, 4, 5, 16, 17, 20, 64, 65, 100].map((size, i) => {
        const key = keyOf(i + 1, i);
        const image = Array.from({ length: size }, (_, x) => permute(key, size, x));
        if (new Set(image).size !== size) throw new Error("not a permutation");
        return { site: i + 1, localClass: i, key, size, image };
    }),
    large: [1_000_000, 16_777_216].map((size) => {
        const key = keyOf(9, 9);
        const inputs = [0, 1, 12345, size - 1];
        return { site: 9, localClass: 9, key, size, inputs, outputs: inputs.map((x) => permute(key, size, x)) };
    }),
    draws: [{ size: 20, quota: 3, start: 30, offset: 15, classStart: 100, ordinal: 5, payoutDepth: 4, site: 2, localClass: 1 }].map((draw) => {
        const t = draw.start + draw.offset;
        const lap = Math.floor(t / draw.size);
        const key = keyOf(draw.site, draw.localClass);
        return { ...draw, lap, memberPosition: draw.classStart + permute(key, draw.size, t % draw.size), payoutIndex: (draw.ordinal * draw.quota + lap) % 2 ** draw.payoutDepth };
    }),
};

// ---- headers and signatures -----------------------------------------------------------------------------------------
const posting = { committer: "0x00000000000000000000000000000000000000d4", timestamp: "1800000000", blockNumber: "99" };
const epochHeader = {
    site: 3, schemaId, epoch: 7, memberDepth: 9, classDepth: 4, payoutDepth: 6, memberCount: 400, classCount: 12,
    membersRoot: text("members"), classesRoot: text("classes"), dataHash: text("epoch data"),
};
const roundHeader = {
    schemaId, ordinal: 4, attempt: 1, siteBits: 2, classBits: 3, requestBits: 3, totalSales: "1234", seedCommit: feistel.seedCommit, dataHash: text("round data"),
    pricesRoot: text("prices"), requestsRoot: text("requests"), salesByClassRoot: text("x"), salesByRequestRoot: text("y"),
};
const deliveryHeader = {
    requestId: "12", site: 3, attempt: 2, depth: 7, count: 70, amount: "72415", effective: "35000002415", root: text("delivery"), dataHash: text("delivery data"),
};
const commitment = (header) => keccak(...Object.values(header).map(word), ...Object.values(posting).map(word));
const domain = (contract) =>
    keccak(text("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"), text("EmrMarket"), text("1"), word(chainId), word(contract));
const digest = (contract, structHash) => keccak("0x1901", domain(contract), structHash);
const headers = {
    posting,
    epoch: { header: epochHeader, commitment: commitment(epochHeader) },
    round: { header: roundHeader, commitment: commitment(roundHeader) },
    delivery: { header: deliveryHeader, commitment: commitment(deliveryHeader) },
    revocation: {
        contract: contracts.accessControl, domainSeparator: domain(contracts.accessControl), site: 3, pseudonym,
        digest: digest(contracts.accessControl, keccak(text("Revocation(uint32 site,bytes32 pseudonym)"), word(3), pseudonym)),
    },
    receipt: {
        contract: contracts.evaluation, domainSeparator: domain(contracts.evaluation), deliveryId: ids.delivery.id,
        digest: digest(contracts.evaluation, keccak(
            text("DeliveryReceipt(bytes32 deliveryId,bytes32 root,uint8 depth,uint32 count,uint112 amount,uint96 effective,bytes32 dataHash)"),
            ids.delivery.id, deliveryHeader.root, word(7), word(70), word(72415), word(35000002415n), deliveryHeader.dataHash,
        )),
    },
    publicCell: { text: "age=40-49", hash: text("age=40-49") },
};

// --check writes nothing and fails when a file differs.
const check = process.argv.includes("--check");
mkdirSync(folder, { recursive: true });
for (const [name, value] of Object.entries({ ids, leaves: { leaves }, trees, rounding, feistel, headers })) {
    const file = join(folder, name + ".json");
    const content = JSON.stringify(value, null, 2) + "\n";
    if (!check) writeFileSync(file, content);
    else if (readFileSync(file, "utf8") !== content) {
        console.error(`${file} differs: npm run vectors`);
        process.exitCode = 1;
    }
}
