// Writes what the tests compare: gas by call and the storage layout of the four contracts. For a change that is meant.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const forge = (args) => {
    const { status } = spawnSync(join(root, "node_modules/.bin/forge"), args, { cwd: root, stdio: "inherit" });
    if (status !== 0) process.exit(1);
};
forge(["build", "--skip", "test"]);
forge(["test", "--match-path", "test/Gas.t.sol"]);
const layout = Object.fromEntries(
    ["DynamicAccessControl", "MatchingDecision", "DataEvaluation", "AnonymousTransaction"].map((name) => {
        const { storageLayout } = JSON.parse(readFileSync(join(root, `out/${name}.sol/${name}.json`), "utf8"));
        return [name, storageLayout.storage.map(({ label, slot, offset, type }) => `${slot}+${offset} ${label}: ${type.replace(/\)\d+_storage/g, ")")}`)];
    }),
);
mkdirSync(join(root, "snapshots"), { recursive: true });
writeFileSync(join(root, "snapshots/storage-layout.json"), JSON.stringify(layout, null, 2) + "\n");
