// Reads what the program writes for other programs with readers of others: the metadata of a CSV file with a JSON-LD processor under W3C's own context and with a parser of CSV on the Web,
// citations with the official schema of CITATION.cff and with Citation.js. Prints what was read as JSON; a fault ends it with 1.
// node validate.mjs csvw METADATA CSV | cff FILE | bibtex FILE | ris FILE | csl FILE
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import factory from '@rdfjs/data-model'
import { Cite } from '@citation-js/core'
import '@citation-js/plugin-bibtex'
import '@citation-js/plugin-ris'
import Ajv from 'ajv'
import addFormats from 'ajv-formats'
import * as yaml from 'js-yaml'
import jsonld from 'jsonld'
import CsvwParser from 'rdf-parser-csvw'

const here = dirname(fileURLToPath(import.meta.url))
const [kind, ...files] = process.argv.slice(2)
const read = name => readFileSync(name, 'utf8')
const base = 'http://example.org/'

/** A set of quads as RDF/JS has it, as far as the parser asks. */
class Dataset extends Array {
  match(...pattern) { return Dataset.from(this.filter(quad => ['subject', 'predicate', 'object'].every((part, i) => !pattern[i] || quad[part].equals(pattern[i])))) }
}

const term = ({ termType, value, language, datatype }) => termType === 'NamedNode' ? factory.namedNode(value) : termType === 'BlankNode' ? factory.blankNode(value.replace(/^_:/, ''))
  : factory.literal(value, language || factory.namedNode(datatype.value))

async function csvw(metadata, csv) {
  const document = JSON.parse(read(metadata))
  const documentLoader = url => {
    if (url !== 'http://www.w3.org/ns/csvw') throw new Error(`the metadata asks for ${url}`)
    return { documentUrl: url, document: JSON.parse(read(join(here, 'csvw.jsonld'))) }
  }
  // Safe: a name that the vocabulary does not know is a fault and is not dropped.
  const [expanded] = await jsonld.expand(document, { documentLoader, base, safe: true })
  const quads = await jsonld.toRDF(document, { documentLoader, base, safe: true })
  const dataset = Dataset.from(quads.map(({ subject, predicate, object }) => factory.quad(term(subject), term(predicate), term(object))))
  const parser = new CsvwParser({ metadata: dataset, baseIRI: base, factory })
  // Every row describes what its cells say; table and rows have statements of their own.
  const rows = new Map(), described = new Set()
  for await (const { subject, predicate, object } of parser.import(Readable.from([read(csv)]))) {
    if (predicate.value.endsWith('csvw#describes')) described.add(object.value)
    if (!rows.has(subject.value)) rows.set(subject.value, {})
    rows.get(subject.value)[decodeURIComponent(predicate.value.split('#').pop())] = [object.value, String(object.datatype?.value?.value ?? object.datatype?.value).split('#').pop()]
  }
  const dc = name => expanded[`http://purl.org/dc/terms/${name}`]?.[0]?.['@value']
  return { url: expanded['http://www.w3.org/ns/csvw#url']?.[0]?.['@id'] ?? expanded['http://www.w3.org/ns/csvw#url']?.[0]?.['@value'], title: dc('title'), identifier: dc('identifier'), rows: [...described].map(name => rows.get(name)) }
}

function cff(file) {
  const ajv = new Ajv({ allErrors: true, strict: false })
  addFormats(ajv)
  const check = ajv.compile(JSON.parse(read(join(here, 'cff-1.2.0.schema.json'))))
  // As the schema's own validators read it: dates stay texts.
  const document = yaml.load(read(file), { schema: yaml.JSON_SCHEMA })
  if (!check(document)) throw new Error(check.errors.map(fault => `${fault.instancePath} ${fault.message}`).join('\n'))
  return document
}

const cite = type => file => new Cite(read(file), { forceType: type }).format('data', { format: 'object' })
const kinds = { csvw, cff, bibtex: cite('@biblatex/text'), ris: cite('@ris/file'), csl: file => new Cite(JSON.parse(read(file))).format('data', { format: 'object' }) }
try {
  console.log(JSON.stringify(await kinds[kind](...files)))
} catch (fault) {
  console.log(fault.message)
  process.exitCode = 1
}
