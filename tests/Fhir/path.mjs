// Evaluates FHIRPath expressions by the reference implementation of the US National Library of Medicine. Standard input: {"resources": [...], "expressions": [...]};
// standard output: for each expression, for each resource, what it gives; an object or array stands as "object", a failure as null.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

const require = createRequire(import.meta.url)
const fhirpath = require('fhirpath')
const r4 = require('fhirpath/fhir-context/r4')
const { resources, expressions } = JSON.parse(readFileSync(0, 'utf8'))
const plain = value => value !== null && typeof value === 'object' && value.constructor === Object ? 'object' : typeof value === 'object' ? String(value) : value

console.log(JSON.stringify(expressions.map(expression => {
  const compiled = fhirpath.compile(expression, r4)
  return resources.map(resource => {
    try { return compiled(structuredClone(resource)).map(plain) } catch { return null }
  })
})))
