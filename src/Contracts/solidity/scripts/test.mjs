// Every test and gate of the contracts. The last line is `solidity: N passed, M failed`; the exit code says the same.
//   npm test             fixed fuzz seed, moderate runs
//   npm run test:long    10,000 fuzz runs (2,000 where each sets up a whole market), 500 invariant runs of depth 200
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const long = process.argv.includes("--long");
const insideCi = process.env.CI === "true";
let passed = 0;
let failed = 0;

function count(name, fault) {
    if (fault) {
        failed++;
        console.log(`FAIL ${name}\n${String(fault).trimEnd()}`);
    } else {
        passed++;
        console.log(`ok   ${name}`);
    }
}
function run(command, args, environment = {}) {
    const result = spawnSync(command, args, {
        cwd: root, encoding: "utf8", maxBuffer: 1 << 28, env: { ...process.env, FOUNDRY_DISABLE_NIGHTLY_WARNING: "1", NO_COLOR: "1", ...environment },
    });
    if (result.error) return { status: 1, output: String(result.error), stdout: "" };
    return { status: result.status, output: result.stdout + result.stderr, stdout: result.stdout };
}
const tool = (name) => join(root, "node_modules/.bin", name);
const forge = (args, environment) => run(tool("forge"), args, environment);
const artefact = (name) => json(`out/${name}.sol/${name}.json`);
const gate = (name, { status, output }) => count(name, status === 0 ? "" : output);
const json = (path) => JSON.parse(readFileSync(join(root, path), "utf8"));

function end() {
    console.log(`solidity: ${passed} passed, ${failed} failed`);
    process.exit(failed === 0 && passed > 0 ? 0 : 1);
}

// ---- tools ----------------------------------------------------------------------------------------------------------
if (!existsSync(tool("forge"))) {
    console.log("node_modules is missing: npm ci (once, about 200 MB)");
    const install = run("npm", ["ci", "--no-audit", "--no-fund"]);
    if (install.status !== 0) {
        count("npm ci", `${install.output}\nThe packages could not be installed. Run npm ci in ${root} where a package registry is reached.`);
        end();
    }
}

// ---- forge tests, the gas snapshot among them -------------------------------------------------------------------------
const contracts = ["DynamicAccessControl", "MatchingDecision", "DataEvaluation", "AnonymousTransaction"];
const build = forge(["build", "--skip", "test"]);
count("build without warnings", build.status !== 0 || /^Warning \(/m.test(build.output) ? build.output : "");
const profile = long ? { FOUNDRY_PROFILE: "long" } : {};
const tests = forge(["test", "--json"], { ...profile, FORGE_SNAPSHOT_CHECK: "true" });
let suites = {};
try {
    suites = JSON.parse(tests.stdout.slice(tests.stdout.indexOf("{")));
} catch {
    count("forge test", tests.output);
}
let reported = 0;
for (const [suite, { test_results: results }] of Object.entries(suites))
    for (const [name, result] of Object.entries(results)) {
        reported++;
        if (result.status === "Success") passed++;
        else count(`${suite} ${name}`, `${result.status}: ${result.reason ?? ""} ${JSON.stringify(result.counterexample ?? "")}`);
    }
console.log(`forge: ${reported} tests reported`);

// Every external function stands in the name of a fuzz test that passed: testFuzz_Function_OtherFunction_whatHolds, in test/fuzz/Contract.t.sol.
const capital = (name) => name[0].toUpperCase() + name.slice(1);
for (const name of [...contracts, "DevelopmentToken"]) {
    const results = Object.entries(suites).find(([suite]) => suite.startsWith(`test/fuzz/${name}.t.sol:`))?.[1].test_results ?? {};
    const fuzzed = new Set(Object.entries(results)
        .filter(([, result]) => result.status === "Success" && result.kind?.Fuzz?.runs > 0)
        .flatMap(([test]) => test.replace(/\(.*/, "").split("_").slice(1)));
    // DOMAIN_SEPARATOR is written as it is.
    const missing = artefact(name).abi.filter(({ type }) => type === "function").map((each) => each.name)
        .filter((each) => !each.split("_").every((word) => fuzzed.has(capital(word))));
    count(`${name}: a fuzz test for every external function`, missing.map((each) => `no passing fuzz test of ${each}`).join("\n"));
}
// A test's own setting overrides the profile's, so the long run counts what each test really did.
const fewest = long ? 2000 : 64;
const short = Object.values(suites).flatMap(({ test_results: results }) => Object.entries(results))
    .filter(([, { kind }]) => kind?.Fuzz && kind.Fuzz.runs < fewest || long && kind?.Invariant && kind.Invariant.runs < 500);
count(`every fuzz test ran at least ${fewest} times`, short.map(([name, { kind }]) => `${name}: ${(kind.Fuzz ?? kind.Invariant).runs} runs`).join("\n"));
// forge compares gas after the tests, and says so by its exit code alone.
const testsFailed = failed > 0;
count("gas equals snapshots/gas.json (after a change that is meant: npm run snapshot)", tests.status === 0 || testsFailed ? "" : tests.output.slice(-3000));

// ---- form -----------------------------------------------------------------------------------------------------------
gate("forge fmt", forge(["fmt", "--check"]));
// The linter compiles without bytecode, so it gets a folder of its own.
const lint = forge(["lint", "contracts"], { FOUNDRY_OUT: "cache/lint/out", FOUNDRY_CACHE_PATH: "cache/lint/cache" });
count("forge lint", lint.status !== 0 || /^(warning|error)/m.test(lint.output) ? lint.output : "");
gate("solhint", run(tool("solhint"), ["--max-warnings", "0", "contracts/**/*.sol"]));

// ---- what the contracts show to the outside -----------------------------------------------------------------------------
const signature = ({ type, name, inputs = [], outputs = [] }) => {
    const types = (list) => list.map((each) => (each.components ? each.type.replace("tuple", `(${types(each.components)})`) : each.type)).join();
    return `${type} ${name}(${types(inputs)})${type === "function" ? ` returns (${types(outputs)})` : ""}`;
};
const surface = (abi) => new Set(abi.filter(({ type }) => type !== "constructor").map(signature));
// Errors of the libraries that a contract uses, and the signature domain of OpenZeppelin's EIP712, stand in no interface of ours.
const inherited = new Set();
for (const file of readdirSync(join(root, "contracts/libraries"))) for (const entry of surface(artefact(file.replace(".sol", "")).abi)) inherited.add(entry);
for (const name of ["EIP712", "SafeERC20", "ReentrancyGuardTransient", "ShortStrings", "ECDSA"]) for (const entry of surface(artefact(name).abi)) inherited.add(entry);
for (const name of contracts) {
    const own = surface(artefact(name).abi);
    const promised = surface(artefact(`I${name}`).abi);
    const missing = [...promised].filter((entry) => entry.startsWith("function") && !own.has(entry));
    const extra = [...own].filter((entry) => !promised.has(entry) && !inherited.has(entry));
    count(`${name} offers its interface and nothing else`, missing.concat(extra).map((entry) => `differs: ${entry}`).join("\n"));
    const size = (artefact(name).deployedBytecode.object.length - 2) / 2;
    count(`${name} fits a contract (${size} of 24576 bytes)`, size > 24576 ? "too large" : "");
}
const layout = Object.fromEntries(
    contracts.map((name) => [name, artefact(name).storageLayout.storage.map(({ label, slot, offset, type }) => `${slot}+${offset} ${label}: ${type.replace(/\)\d+_storage/g, ")")}`)]),
);
count(
    "storage layout equals snapshots/storage-layout.json (after a change that is meant: npm run snapshot)",
    JSON.stringify(layout) === JSON.stringify(json("snapshots/storage-layout.json")) ? "" : JSON.stringify(layout, null, 2),
);

// ---- vectors, proofs, coverage --------------------------------------------------------------------------------------------
gate("docs/vectors are what scripts/vectors.mjs writes", run("node", ["scripts/vectors.mjs", "--check"]));
const formal = run("node", ["scripts/formal.mjs"]);
if (formal.status === 75 && !insideCi) console.log("skip SMTChecker on the payout arithmetic: z3 is missing (apt-get install z3)");
else gate("SMTChecker on the payout arithmetic", formal);

const report = join(tmpdir(), `emrmarket-coverage-${process.pid}.info`);
const coverage = forge([
    "coverage", "--no-match-path", "test/{Gas,Invariants}.t.sol", "--no-match-coverage", "(test|development)", "--report", "lcov", "--report-file", report,
], { FOUNDRY_OUT: "cache/coverage/out", FOUNDRY_CACHE_PATH: "cache/coverage/cache", FOUNDRY_FUZZ_RUNS: "32" });
let missed = coverage.status === 0 ? "" : coverage.output.slice(-3000);
if (!missed) {
    let file = "";
    for (const line of readFileSync(report, "utf8").split("\n")) {
        if (line.startsWith("SF:")) file = line.slice(3);
        const [, number] = /^DA:(\d+),0$/.exec(line) ?? [];
        if (number) missed += `${file}:${number} is never run\n`;
        const [, branch] = /^BRDA:(\d+),\d+,\d+,(?:0|-)$/.exec(line) ?? [];
        if (branch) missed += `${file}:${branch} a branch is never taken\n`;
    }
}
rmSync(report, { force: true });
count("coverage: every line and branch of contracts/", missed);
end();
