// Proves the assertions of test/formal with solc's SMTChecker (engine CHC) and z3. Exit code 0: all proved; 1: not; 75: z3 is missing.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(import.meta.url);
const solc = require("solc");
const file = "test/formal/EscrowProperties.sol";

if (spawnSync("z3", ["--version"]).status !== 0) {
    console.error("z3 is missing: apt-get install z3");
    process.exit(75);
}

let queries = 0;
function smtSolver(query) {
    queries++;
    const answer = spawnSync("z3", ["-in", "-smt2", "-T:30"], { input: query, encoding: "utf8", maxBuffer: 1 << 26 });
    return { contents: answer.stdout };
}
function read(path) {
    for (const folder of [root, join(root, "node_modules")])
        if (existsSync(join(folder, path))) return { contents: readFileSync(join(folder, path), "utf8") };
    return { error: `not found: ${path}` };
}
const input = {
    language: "Solidity",
    sources: { [file]: { content: readFileSync(join(root, file), "utf8") } },
    settings: {
        evmVersion: "cancun",
        outputSelection: { "*": { "*": [] } },
        modelChecker: {
            engine: "chc",
            contracts: { [file]: ["EscrowProperties"] },
            targets: ["assert"],
            solvers: ["smtlib2"],
            showUnproved: true,
            showProvedSafe: true,
            timeout: 30000,
        },
    },
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read, smtSolver }));
const expected = input.sources[file].content.split("assert(").length - 1;
let failed = false;
let proved = 0;
for (const { severity, formattedMessage, message } of output.errors ?? []) {
    if (severity === "info" && message.includes("check is safe")) proved++;
    // The libraries' assembly is not modelled; nothing that is proved here calls it.
    else if (severity === "error" || (severity === "warning" && !message.includes("unsupported language feature"))) {
        failed = true;
        console.error(formattedMessage);
    }
}
console.log(`formal: ${proved} of ${expected} assertions proved with ${queries} queries`);
process.exit(failed || proved !== expected ? 1 : 0);
