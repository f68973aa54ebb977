// Bundles the pages' scripts. Run by the build of EmrMarket.Silos: node build.mjs --out DIR [--entry FILE]
import { build } from 'esbuild'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(import.meta.url))
const option = name => process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined
const outdir = option('--out')
if (!outdir) { console.error('build.mjs: --out DIR is missing'); process.exit(2) }
rmSync(outdir, { recursive: true, force: true })
mkdirSync(outdir, { recursive: true })
// The words of a resource file, by name.
const unescape = text => text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => ({ lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' })[name])
const resources = {
  name: 'resources',
  setup: ({ onLoad }) => onLoad({ filter: /\.resx$/ }, ({ path }) => {
    const texts = [...readFileSync(path, 'utf8').matchAll(/<data name="(\w+)"[^>]*>\s*<value>([^<]*)<\/value>/g)]
    return { contents: JSON.stringify(Object.fromEntries(texts.map(([, name, text]) => [name, unescape(text)]))), loader: 'json' }
  }),
}
await build({
  absWorkingDir: root,
  entryPoints: [option('--entry') ?? 'source/main.ts'],
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'linked',
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  logLevel: 'warning',
  plugins: [resources],
  nodePaths: [join(root, 'node_modules')],
})
