// Holds files of HL7 FHIR R4 against the specification twice: by its own JSON schema, and by its profiles and value sets.
// Prints one line per fault and ends with 1 when there is any. node validate.mjs FILE...
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const SchemaValidator = require('@asymmetrik/fhir-json-schema-validator')
const { Fhir } = require('fhir')
const schema = new SchemaValidator(), profiles = new Fhir()
const faults = []

// The codes of every system that a value set of R4 draws from, with what each is called.
const known = new Map()
for (const { systems } of Object.values(require('fhir/profiles/valuesets.json'))) for (const { uri, codes } of systems) for (const { code, display } of codes) known.set(uri, (known.get(uri) ?? new Map()).set(code, display))

function* codings(node) {
  if (node === null || typeof node !== 'object') return
  if (typeof node.system === 'string' && typeof node.code === 'string' && !('value' in node)) yield node
  for (const value of Object.values(node)) yield* codings(value)
}

for (const file of process.argv.slice(2)) {
  const bundle = JSON.parse(readFileSync(file, 'utf8'))
  // Each resource by itself: a fault is then told of its own kind, not of each kind that it might have been.
  for (const [name, resource] of [['the file', { ...bundle, entry: undefined }], ...(bundle.entry ?? []).map((entry, i) => [`entry[${i}]`, entry.resource])]) {
    const plain = JSON.parse(JSON.stringify(resource))
    for (const fault of schema.validate(plain) ?? []) faults.push(`${file}: ${name} ${plain.resourceType}${fault.dataPath ?? ''} ${fault.message ?? fault} ${JSON.stringify(fault.params ?? '')}`)
  }
  // Bindings that only recommend or give examples are told as warnings: there our own codes may stand.
  for (const { location, resourceId, message, severity } of profiles.validate(bundle, { errorOnUnexpected: true }).messages) if (severity === 'error' || severity === 'fatal') faults.push(`${file}: ${resourceId} ${location} ${message}`)
  // Systems of HL7 version 3 are in no value set that comes along.
  for (const { system, code, display } of codings(bundle)) if (/^http:\/\/terminology\.hl7\.org\/CodeSystem\/(?!v3-)/.test(system) && known.get(system)?.get(code) !== display) faults.push(`${file}: ${system} has no code ${code} "${display}"`)
}
console.log(faults.join('\n'))
process.exit(faults.length > 0 ? 1 : 0)
