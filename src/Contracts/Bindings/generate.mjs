// Compiles a Foundry project and writes C# for what its contracts declare: functions become methods, structs and events records,
// custom errors exceptions, with the NatSpec as documentation. The build runs it; nothing of it is committed.
//
//   node generate.mjs --project DIR --tools DIR --work DIR --out DIR --namespace NAME
//     --project    the Foundry project (foundry.toml)
//     --tools      the folder whose package-lock.json brings forge and solc; its packages are installed when missing
//     --work       forge's artefacts and cache, so that no other run of forge on the project is disturbed
//     --out        receives one .cs file per contract and one each for structs, events and errors
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

// ---- the frame: arguments, errors that MSBuild shows, one run at a time -------------------------------------------------------

class BuildError extends Error {}

function readArguments() {
  const options = {};
  for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].replace(/^--/, "")] = process.argv[i + 1];
  for (const name of ["project", "tools", "work", "out", "namespace"]) {
    if (!options[name]) throw new BuildError(`generate.mjs: --${name} is missing`);
  }
  return { ...options, project: path.resolve(options.project), tools: path.resolve(options.tools), work: path.resolve(options.work), out: path.resolve(options.out) };
}

function sleep(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

// Builds of several projects, or of several people in one clone, may start together: a folder is a lock on every file system.
function underLock(name, action) {
  const lock = path.join(tmpdir(), `emrmarket-${createHash("sha256").update(name).digest("hex").slice(0, 16)}.lock`);
  const owner = path.join(lock, "pid");
  for (let waited = 0; ; waited += 200) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    let pid = 0;
    try {
      pid = Number(readFileSync(owner, "utf8"));
    } catch {
      // Its owner is between making the folder and naming itself, or has just gone.
    }
    let alive = pid === 0 && waited < 10_000;
    try {
      if (pid > 0) alive = process.kill(pid, 0);
    } catch (error) {
      alive = error.code === "EPERM";
    }
    if (!alive) rmSync(lock, { recursive: true, force: true });
    if (waited > 600_000) throw new BuildError(`another build has held ${lock} for 10 minutes; end it, or remove that folder`);
    sleep(200);
  }
  writeFileSync(owner, String(process.pid));
  try {
    return action();
  } finally {
    rmSync(owner, { force: true });
    rmdirSync(lock);
  }
}

function run(command, args, cwd, hint) {
  const result = spawnSync(command, args, { cwd, encoding: "utf8", maxBuffer: 1 << 28, shell: process.platform === "win32" && command === "npm" });
  if (result.error) throw new BuildError(`${command} cannot be run (${result.error.code ?? result.error.message}): ${hint}`);
  if (result.status !== 0) throw new BuildError(`${command} ${args.join(" ")} failed in ${cwd}:\n${result.stdout}\n${result.stderr}\n${hint}`);
  return result.stdout;
}

// ---- the compiler -------------------------------------------------------------------------------------------------------------

function installTools(tools) {
  const lockFile = path.join(tools, "package-lock.json");
  if (!existsSync(lockFile)) throw new BuildError(`${lockFile} is missing: it names the compiler's packages`);
  const installed = path.join(tools, "node_modules", ".package-lock.json");
  const stamp = path.join(tools, "node_modules", ".emrmarket-lock");
  const wanted = createHash("sha256").update(readFileSync(lockFile)).digest("hex");
  const current = existsSync(stamp)
    ? readFileSync(stamp, "utf8") === wanted
    : existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockFile).mtimeMs;
  if (!current) run("npm", ["ci", "--no-audit", "--no-fund"], tools, "it needs npm's registry: check the network and `npm config get registry`, then build again");
  if (!existsSync(stamp) || !current) writeFileSync(stamp, wanted);
}

function forgeOf(tools) {
  const arch = { x64: "amd64", arm64: "arm64" }[process.arch] ?? process.arch;
  const name = process.platform === "win32" ? "forge.exe" : "forge";
  const forge = path.join(tools, "node_modules", "@foundry-rs", `forge-${process.platform}-${arch}`, "bin", name);
  if (!existsSync(forge)) throw new BuildError(`${forge} is missing: run npm ci in ${tools}; if it stays missing, Foundry has no package for ${process.platform}-${arch}`);
  return forge;
}

function compile(options) {
  const artefacts = path.join(options.work, "out");
  const sources = /^\s*src\s*=\s*"([^"]*)"/m.exec(readFileSync(path.join(options.project, "foundry.toml"), "utf8"))?.[1] ?? "src";
  const paths = solidityFiles(path.join(options.project, sources)).map((file) => path.relative(options.project, file));
  if (paths.length === 0) return [];
  run(forgeOf(options.tools), ["build", "--ast", "--root", options.project, "--out", artefacts, "--cache-path", path.join(options.work, "cache"), ...paths],
    options.project, "mend the Solidity above, then build again");

  const contracts = [];
  for (const file of paths) {
    const folder = path.join(artefacts, path.basename(file));
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder).filter((entry) => /^[^.]+\.json$/.test(entry)).sort()) {
      const artefact = JSON.parse(readFileSync(path.join(folder, name), "utf8"));
      const target = artefact.metadata?.settings?.compilationTarget ?? {};
      const contract = path.basename(name, ".json");
      if (target[file.replaceAll(path.sep, "/")] === contract) {
        // The parsed metadata leaves out what it does not know; the compiler's own text has all of the NatSpec.
        contracts.push({ name: contract, ...artefact, documentation: JSON.parse(artefact.rawMetadata).output });
      }
    }
  }
  return contracts.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function solidityFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".sol") && !entry.parentPath.includes("node_modules"))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

// ---- names and text -----------------------------------------------------------------------------------------------------------

const keywords = new Set(("abstract as base bool break byte case catch char checked class const continue decimal default delegate do double else enum event explicit "
  + "extern false finally fixed float for foreach goto if implicit in int interface internal is lock long namespace new null object operator out override params private "
  + "protected public readonly ref return sbyte sealed short sizeof stackalloc static string struct switch this throw true try typeof uint ulong unchecked unsafe ushort "
  + "using virtual void volatile while").split(" "));

function pascal(name) {
  const words = /^[A-Z0-9_]+$/.test(name) && name.includes("_") ? name.toLowerCase().split("_") : name.split("_");
  return words.filter((word) => word.length > 0).map((word) => word[0].toUpperCase() + word.slice(1)).join("");
}

function camel(name) {
  const result = pascal(name);
  const lower = result[0].toLowerCase() + result.slice(1);
  return keywords.has(lower) ? "@" + lower : lower;
}

const xml = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replace(/\s+/g, " ").trim();
const csString = (text) => JSON.stringify(text.replace(/\s+/g, " ").trim());

function summary(indent, notice, details, fallback) {
  const text = [notice, details].filter(Boolean).map(xml).join(" ");
  return `${indent}/// <summary>${text || xml(fallback)}</summary>\n`;
}

function unique(taken, name) {
  let candidate = name;
  for (let i = 2; taken.has(candidate); i++) candidate = `${name}${i}`;
  taken.add(candidate);
  return candidate;
}

// ---- types --------------------------------------------------------------------------------------------------------------------

// The signature of a type with the names of tuple components left out: what the codec reads.
function abiName(parameter) {
  if (!parameter.type.startsWith("tuple")) return parameter.type;
  return "(" + parameter.components.map(abiName).join(",") + ")" + parameter.type.slice("tuple".length);
}

const signature = (item) => `${item.name}(${item.inputs.map(abiName).join(",")})`;
const element = (parameter) => ({
  ...parameter,
  type: parameter.type.slice(0, parameter.type.lastIndexOf("[")),
  internalType: parameter.internalType?.slice(0, parameter.internalType.lastIndexOf("[")),
});
const isArray = (parameter) => parameter.type.endsWith("]");
const isTuple = (parameter) => parameter.type === "tuple";
const isHashedTopic = (parameter) => isArray(parameter) || isTuple(parameter) || ["bytes", "string"].includes(parameter.type);

class Types {
  structs = new Map(); // internal type -> { name, parameter }
  enums = new Map(); // C# name -> documented members
  #names;
  #docs;

  // A type named like a part of its namespace could not be named from a sibling namespace.
  constructor(contracts, namespace) {
    this.#names = new Set([...namespace.split("."), ...contracts.map((contract) => contract.name)]);
    this.#docs = collectDeclarations(contracts);
    for (const { abi } of contracts) {
      for (const item of abi) for (const parameter of [...(item.inputs ?? []), ...(item.outputs ?? [])]) this.#collect(parameter);
    }
  }

  #collect(parameter) {
    if (isArray(parameter)) return this.#collect(element(parameter));
    if (!isTuple(parameter)) return;
    for (const component of parameter.components) this.#collect(component);
    const key = parameter.internalType + abiName(parameter);
    if (this.structs.has(key)) return;
    const full = parameter.internalType.replace(/^struct /, "");
    const short = pascal(full.split(".").pop());
    const name = unique(this.#names, !this.#names.has(short) ? short : full.includes(".") ? pascal(full.replaceAll(".", "_")) : short + "Struct");
    this.structs.set(key, { name, parameter, doc: this.#docs.get(full) });
  }

  enumOf(parameter) {
    const full = /^enum (.+)$/.exec(parameter.internalType ?? "")?.[1];
    const declaration = full && this.#docs.get(full);
    if (!declaration?.members) return null;
    const name = pascal(full.split(".").pop());
    this.enums.set(name, declaration);
    return name;
  }

  cs(parameter) {
    if (isArray(parameter)) return `${this.cs(element(parameter))}[]`;
    if (isTuple(parameter)) return this.structs.get(parameter.internalType + abiName(parameter)).name;
    const enumeration = this.enumOf(parameter);
    if (enumeration) return enumeration;
    const [, kind, digits] = /^([a-z]+)(\d*)$/.exec(parameter.type);
    const bits = digits === "" ? 256 : Number(digits);
    const fit = (names) => names[[8, 16, 32, 64, 128, 256].findIndex((width) => bits <= width)];
    switch (kind) {
      case "uint": return fit(["byte", "ushort", "uint", "ulong", "UInt128", "BigInteger"]);
      case "int": return fit(["sbyte", "short", "int", "long", "Int128", "BigInteger"]);
      case "bytes": return digits === "32" ? "Bytes32" : "byte[]";
      case "function": return "byte[]";
      case "address": return "Address";
      default: return kind; // bool, string
    }
  }

  // An expression that turns a value of the C# type into the codec's form, and back.
  toAbi(parameter, value, depth = 0) {
    if (isArray(parameter)) {
      const inner = `e${depth}`;
      return `Array.ConvertAll(${value}, ${inner} => (object)${this.toAbi(element(parameter), inner, depth + 1)})`;
    }
    if (isTuple(parameter)) return `${value}.ToAbi()`;
    return this.enumOf(parameter) ? `(byte)${value}` : value;
  }

  fromAbi(parameter, value, depth = 0) {
    if (isArray(parameter)) {
      const inner = `e${depth}`;
      return `Array.ConvertAll((object[])${value}, ${inner} => ${this.fromAbi(element(parameter), inner, depth + 1)})`;
    }
    if (isTuple(parameter)) return `${this.cs(parameter)}.FromAbi((object[])${value})`;
    const enumeration = this.enumOf(parameter);
    return enumeration ? `AbiValues.ToEnum<${enumeration}>(${value})` : `(${this.cs(parameter)})${value}`;
  }

  comparesByReference(parameter) {
    return isArray(parameter) || this.cs(parameter) === "byte[]";
  }
}

// Structs and enumerations stand in the syntax tree alone: their members and their NatSpec.
function collectDeclarations(contracts) {
  const found = new Map();
  const visit = (node, prefix) => {
    for (const child of node?.nodes ?? []) {
      if (child.nodeType === "ContractDefinition") visit(child, `${child.name}.`);
      if (child.nodeType !== "StructDefinition" && child.nodeType !== "EnumDefinition") continue;
      const text = child.documentation?.text ?? "";
      found.set(prefix + child.name, {
        summary: text.split(/@param/)[0].replace(/@(notice|dev|title)/g, "").trim(),
        params: Object.fromEntries([...text.matchAll(/@param\s+(\S+)\s+([^@]*)/g)].map(([, name, doc]) => [name, doc])),
        members: child.nodeType === "EnumDefinition" ? child.members.map((member) => member.name) : undefined,
      });
    }
  };
  for (const contract of contracts) visit(contract.ast, "");
  return found;
}

// ---- C# -----------------------------------------------------------------------------------------------------------------------

function header(namespace) {
  return `// <auto-generated>Written by Bindings/generate.mjs from the compiler's artefacts.</auto-generated>
#nullable enable
using System.Numerics;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Ethereum.Abi;

namespace ${namespace};

`;
}

// Parameters with the C# names that they get as a record's properties or a method's arguments.
const inherited = {
  record: ["Equals", "GetHashCode", "GetType", "ToString", "Topic", "Decode", "Definition", "ToAbi", "FromAbi", "Deconstruct", "EqualityContract"],
  exception: ["Data", "Message", "Source", "StackTrace", "HelpLink", "HResult", "InnerException", "TargetSite", "RevertData", "IsTransient", "GetBaseException", "GetType",
    "ToString", "GetHashCode", "Equals", "Definition", "FromRevert"],
  arguments: ["wei", "block", "cancellationToken", "values"],
};

function named(parameters, kind, enclosing = "") {
  const taken = new Set([enclosing]);
  const style = kind === "arguments" ? camel : pascal;
  const free = (name) => (inherited[kind].includes(name) || name === enclosing ? name + "Value" : name);
  return parameters.map((parameter, i) => ({
    parameter,
    name: unique(taken, free(style(parameter.name?.replaceAll("_", "") ? parameter.name : `value${i}`))),
  }));
}

function parameterDocs(indent, members, docs) {
  return members.map(({ parameter, name }) => `${indent}/// <param name="${name.replace(/^@/, "")}">${xml(docs?.[parameter.name] || `${parameter.name || "A value"}, ${parameter.type.replace("tuple", "struct")}.`)}</param>\n`).join("");
}

function equality(types, name, members) {
  if (!members.some(({ parameter, hashed }) => !hashed && types.comparesByReference(parameter))) return "";
  return `
    /// <summary>True when all members are equal, arrays element by element.</summary>
    public bool Equals(${name}? other) => other is not null && AbiValues.AreEqual(ToAbi(), other.ToAbi());

    /// <inheritdoc/>
    public override int GetHashCode() => AbiValues.Hash(ToAbi());
`;
}

function writeStructs(types, namespace) {
  let text = header(namespace);
  for (const { name, parameter, doc } of types.structs.values()) {
    const members = named(parameter.components, "record", name);
    text += summary("", doc?.summary, null, `The struct ${parameter.internalType.replace(/^struct /, "")}.`) + parameterDocs("", members, doc?.params);
    text += `public sealed record ${name}(${members.map((m) => `${types.cs(m.parameter)} ${m.name}`).join(", ")})
{
    internal object[] ToAbi() => [${members.map((m) => types.toAbi(m.parameter, m.name)).join(", ")}];

    internal static ${name} FromAbi(object[] values) => new(${members.map((m, i) => types.fromAbi(m.parameter, `values[${i}]`)).join(", ")});
${equality(types, name, members)}}

`;
  }
  for (const [name, declaration] of types.enums) {
    text += summary("", declaration.summary, null, `The enumeration ${name}.`);
    text += `public enum ${name} : byte\n{\n${declaration.members.map((member) => `    /// <summary>${member}.</summary>\n    ${pascal(member)},\n`).join("\n")}}\n\n`;
  }
  return text;
}

// The same error or event is often declared by several contracts: one C# type serves them all. Equal names with other parameters get the contract's.
function distinct(contracts, kind, suffix) {
  const bySignature = new Map();
  const names = new Set();
  for (const contract of contracts) {
    for (const item of contract.abi.filter((entry) => entry.type === kind)) {
      const key = signature(item) + item.inputs.map((input) => (input.indexed ? "i" : "-")).join("");
      if (bySignature.has(key)) continue;
      const short = pascal(item.name) + suffix;
      const name = unique(names, names.has(short) ? pascal(contract.name) + short : short);
      bySignature.set(key, { item, name, contract });
    }
  }
  return [...bySignature.values()];
}

function docsOf(contract, kind, key) {
  const { devdoc = {}, userdoc = {} } = contract.documentation;
  const first = (entry) => (Array.isArray(entry) ? entry[0] : entry) ?? {};
  return { ...first(devdoc[kind]?.[key]), notice: first(userdoc[kind]?.[key]).notice };
}

function writeErrors(types, contracts, namespace) {
  const errors = distinct(contracts, "error", "Exception");
  let text = header(namespace);
  for (const { item, name, contract } of errors) {
    const docs = docsOf(contract, "errors", signature(item));
    const members = named(item.inputs, "exception", name);
    const words = [docs.notice, docs.details].filter(Boolean).join(" ").replaceAll("{", "(").replaceAll("}", ")");
    const said = [`the contract refused with ${item.name}${words ? `: ${words}` : ""}`, ...members.map((m) => `${m.parameter.name || m.name} = {AbiValues.Show(values[${members.indexOf(m)}])}`)].join("; ");
    text += summary("", docs.notice, docs.details, `The custom error ${item.name}.`);
    text += `public sealed class ${name} : ContractRevertException
{
    internal static readonly AbiError Definition = new(${csString(signature(item))});

    private ${name}(object[] values, ReadOnlyMemory<byte> revertData)
        : base($${csString(said)}, revertData)
    {
${members.map((m, i) => `        ${m.name} = ${types.fromAbi(m.parameter, `values[${i}]`)};\n`).join("")}    }

${members.map((m) => `    /// <summary>${xml(docs.params?.[m.parameter.name] || `${m.parameter.name || "A value"}, ${m.parameter.type}.`)}</summary>\n    public ${types.cs(m.parameter)} ${m.name} { get; }\n\n`).join("")}    internal static ContractRevertException FromRevert(ReadOnlyMemory<byte> revertData) => new ${name}(Definition.Decode(revertData.Span), revertData);
}

`;
  }
  text += `/// <summary>Makes typed exceptions of what contracts refuse with.</summary>
public static class ContractErrors
{
    private static readonly RevertTable Table = new(
    [
${errors.map(({ name }) => `        (${name}.Definition, ${name}.FromRevert),\n`).join("")}    ]);

    /// <summary>The typed exception of revert data; one without a type of its own where no contract declares the error.</summary>
    public static ContractRevertException FromData(ReadOnlyMemory<byte> revertData) => Table.FromData(revertData);
}
`;
  return text;
}

function writeEvents(types, contracts, namespace) {
  const events = distinct(contracts, "event", "Event").filter(({ item }) => !item.anonymous);
  let text = header(namespace);
  for (const { item, name, contract } of events) {
    const docs = docsOf(contract, "events", signature(item));
    const members = named(item.inputs, "record", name).map((m) => ({ ...m, hashed: m.parameter.indexed && isHashedTopic(m.parameter) }));
    for (const m of members) if (m.hashed) m.name += "Hash";
    const declared = `${item.name}(${item.inputs.map((input) => abiName(input) + (input.indexed ? " indexed" : "")).join(",")})`;
    text += summary("", docs.notice, docs.details, `The event ${item.name}.`) + parameterDocs("", members, docs.params);
    text += `public sealed record ${name}(${members.map((m) => `${m.hashed ? "Bytes32" : types.cs(m.parameter)} ${m.name}`).join(", ")}) : IContractEvent
{
    internal static readonly AbiEvent Definition = new(${csString(declared)});

    /// <summary>The first topic of its logs.</summary>
    public static Bytes32 Topic => Definition.Topic;

    /// <summary>Reads a log of this event.</summary>
    /// <exception cref="AbiException">The log is of another event, or damaged.</exception>
    public static ${name} Decode(LogEntry log)
    {
        ArgumentNullException.ThrowIfNull(log);
        object[] values = Definition.Decode(log.Topics, log.Data.Span);
        return new ${name}(${members.map((m, i) => (m.hashed ? `(Bytes32)values[${i}]` : types.fromAbi(m.parameter, `values[${i}]`))).join(", ")});
    }
${members.some((m) => !m.hashed && types.comparesByReference(m.parameter)) ? `
    private object[] ToAbi() => [${members.map((m) => (m.hashed ? m.name : types.toAbi(m.parameter, m.name))).join(", ")}];
` : ""}${equality(types, name, members)}}

`;
  }
  text += `/// <summary>Makes records of the logs that contracts write.</summary>
public static class ContractEvents
{
    private static readonly EventTable Table = new(
    [
${events.map(({ name }) => `        (${name}.Definition, ${name}.Decode),\n`).join("")}    ]);

    /// <summary>The event of a log, or null where no contract of the project declares it.</summary>
    /// <exception cref="AbiException">The log is damaged.</exception>
    public static IContractEvent? Decode(LogEntry log) => Table.Decode(log);
}
`;
  return text;
}

function argumentsOf(types, inputs) {
  const members = named(inputs, "arguments");
  return {
    members,
    list: members.map((m) => `${types.cs(m.parameter)} ${m.name}`),
    shape: members.map((m) => types.cs(m.parameter)).join(","),
    encoded: members.map((m) => types.toAbi(m.parameter, m.name)),
  };
}

function writeFunction(types, contract, item, field, method) {
  const docs = docsOf(contract, "methods", signature(item));
  const { members, list, encoded } = argumentsOf(types, item.inputs);
  const doc = summary("    ", docs.notice, docs.details, `The function ${item.name}.`) + parameterDocs("    ", members, docs.params);
  const call = `new ContractCall(Address, Abi.${field}.Encode([${encoded.join(", ")}]))`;
  if (item.stateMutability !== "view" && item.stateMutability !== "pure") {
    const payable = item.stateMutability === "payable";
    return `${doc}${payable ? `    /// <param name="wei">Wei that go along.</param>\n` : ""}    /// <returns>The call, to be sent by a transaction sender or tried by <see cref="ContractClient.TryAsync"/>.</returns>
    public ContractCall ${method}(${[...list, ...(payable ? ["BigInteger wei"] : [])].join(", ")}) =>
        ${call}${payable ? " { Value = wei }" : ""};
`;
  }

  const outputs = named(item.outputs, "arguments");
  const result = outputs.length === 0 ? "" : outputs.length === 1 ? types.cs(outputs[0].parameter)
    : `(${outputs.map((m, i) => `${types.cs(m.parameter)} ${m.parameter.name ? pascal(m.parameter.name) : `Item${i + 1}`}`).join(", ")})`;
  const decoded = outputs.map((m, i) => types.fromAbi(m.parameter, `values[${i}]`));
  const returns = docs.returns ? Object.values(docs.returns).map(xml).join("; ") : outputs.map((m) => m.parameter.type.replace("tuple", "struct")).join(", ");
  return `${doc}    /// <param name="block">After which block; the newest by default.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
${result ? `    /// <returns>${returns}</returns>\n` : ""}    public async Task${result ? `<${result}>` : ""} ${method}Async(${[...list, "BlockReference block = default", "CancellationToken cancellationToken = default"].join(", ")})
    {
        ${result ? `object[] values = Abi.${field}.DecodeOutputs(` : ""}await CallAsync(${call}, block, cancellationToken)${result ? ")" : ""};
${result ? `        return ${outputs.length === 1 ? decoded[0] : `(${decoded.join(", ")})`};\n` : ""}    }
`;
}

function bytecode(contract, which) {
  const code = contract[which];
  if (Object.keys(code.linkReferences ?? {}).length > 0) {
    throw new BuildError(`${contract.name} needs a linked library, which the bindings do not support: make the library's functions internal`);
  }
  return code.object;
}

function writeContract(types, contract, namespace) {
  const { devdoc = {}, userdoc = {} } = contract.documentation;
  const functions = contract.abi.filter((item) => item.type === "function");
  const fields = new Set();
  const methods = new Set();
  let fieldText = "";
  let methodText = "";
  for (const item of functions) {
    const field = unique(fields, pascal(item.name));
    const base = unique(methods, `${pascal(item.name)}(${argumentsOf(types, item.inputs).shape})`);
    const again = /\)(\d+)$/.exec(base)?.[1] ?? "";
    const clash = ["Address", "Client", contract.name].includes(pascal(item.name)) ? "Call" : "";
    fieldText += `        internal static readonly AbiFunction ${field} = new(${csString(signature(item))}, ${csString(`(${item.outputs.map(abiName).join(",")})`)});\n`;
    methodText += "\n" + writeFunction(types, contract, item, field, pascal(item.name) + clash + again);
  }

  const create = contract.abi.find((item) => item.type === "constructor") ?? { inputs: [] };
  const { members, list, encoded } = argumentsOf(types, create.inputs);
  const holes = Object.values(contract.deployedBytecode.immutableReferences ?? {}).flat();
  const createDocs = docsOf(contract, "methods", "constructor");
  return header(namespace) + summary("", [devdoc.title, userdoc.notice].filter(Boolean).join(". "), devdoc.details, `The contract ${contract.name}.`)
    + `public sealed class ${contract.name} : ContractClient
{
    private const string CreationCode = "${bytecode(contract, "bytecode").slice(2)}";
    private const string RuntimeCode = "${bytecode(contract, "deployedBytecode").slice(2)}";
    private static readonly (int Start, int Length)[] Immutables = [${holes.map((hole) => `(${hole.start}, ${hole.length})`).join(", ")}];

    /// <summary>Speaks to the contract at an address.</summary>
    public ${contract.name}(IEthereumClient client, Address address)
        : base(client, address)
    {
    }

    /// <inheritdoc/>
    protected override ContractRevertException ToTyped(ReadOnlyMemory<byte> revertData) => ContractErrors.FromData(revertData);

    /// <summary>The transaction that creates the contract.</summary>
${parameterDocs("    ", members, createDocs.params)}    public static ContractCall Create(${list.join(", ")}) =>
        new(null, (byte[])[.. Convert.FromHexString(CreationCode), .. AbiEncoder.Encode(Abi.Constructor, [${encoded.join(", ")}])]);

    /// <summary>True when code on a chain is this contract's, whatever its immutable values.</summary>
    public static bool Owns(ReadOnlySpan<byte> code) => CodeComparison.AreEqual(Convert.FromHexString(RuntimeCode), code, Immutables);

    /// <summary>The name of the function that a call's data asks for, as the contract spells it; null when the contract has none such.</summary>
    /// <param name="data">What is sent to the contract: a selector and arguments.</param>
    public static string? FunctionOf(ReadOnlyMemory<byte> data) =>
        System.Linq.Enumerable.FirstOrDefault(Abi.Functions, function => data.Span.StartsWith(function.Selector))?.Signature.Split('(')[0];
${methodText}
    private static class Abi
    {
        internal static readonly AbiTuple Constructor = new(${create.inputs.map((input) => `AbiType.Parse(${csString(abiName(input))})`).join(", ")});
${fieldText}        internal static readonly AbiFunction[] Functions = [${[...fields].join(", ")}];
    }
}
`;
}

// ---- main ---------------------------------------------------------------------------------------------------------------------

function writeWhenChanged(file, text) {
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}

function main() {
  const options = readArguments();
  const contracts = underLock(options.tools, () => {
    installTools(options.tools);
    return compile(options).filter((contract) => contract.abi.some((item) => item.type === "function") && contract.bytecode.object.length > 2);
  });
  const types = new Types(contracts, options.namespace);
  mkdirSync(options.out, { recursive: true });
  const callable = contracts.filter((contract) => contract.abi.some((item) => item.type === "function"));
  const files = new Map(callable.map((contract) => [`${contract.name}.g.cs`, writeContract(types, contract, options.namespace)]));
  files.set("ContractErrors.g.cs", writeErrors(types, contracts, options.namespace));
  files.set("ContractEvents.g.cs", writeEvents(types, contracts, options.namespace));
  files.set("ContractStructs.g.cs", writeStructs(types, options.namespace));
  for (const [name, text] of files) writeWhenChanged(path.join(options.out, name), text.replace(/\n\n}/g, "\n}"));
  for (const name of readdirSync(options.out)) if (name.endsWith(".g.cs") && !files.has(name)) rmSync(path.join(options.out, name));
  writeFileSync(path.join(options.out, "bindings.stamp"), "");
}

try {
  main();
} catch (error) {
  // The form that MSBuild lists as an error of its own.
  console.error(`generate.mjs : error EMR0001: ${error instanceof BuildError ? error.message : error.stack}`);
  process.exit(1);
}
