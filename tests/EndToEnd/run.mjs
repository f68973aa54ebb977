// Runs the suites of the browser: what runs in it against docs/vectors, then the pages in Chromium against a market that this script starts.
// Ends with "browser: N passed, N failed[, N skipped]". node run.mjs [--keys | --story]
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url)), root = join(here, '../..')
const browser = join(root, 'src/Silos/Pages/browser'), work = join(root, 'artifacts/EndToEnd')
const only = process.argv[2]
let passed = 0, failed = 0, skipped = 0
const count = (name, fault) => { if (fault) { failed++; console.log(`FAIL ${name}\n${fault}`) } else { passed++; console.log(`ok   ${name}`) } }
const run = (command, args, options = {}) => spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options })
const report = () => { console.log(`browser: ${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`); process.exit(failed ? 1 : 0) }
mkdirSync(work, { recursive: true })

for (const folder of [browser, here]) {
  const [installedLock, lock] = ['node_modules/.package-lock.json', 'package-lock.json'].map(name => join(folder, name))
  if (existsSync(installedLock) && statSync(installedLock).mtimeMs >= statSync(lock).mtimeMs) continue
  const install = run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder })
  if (install.status !== 0) { count(`npm ci in ${folder}`, install.stderr); report() }
}

/** Runs test files by Node's own runner and adds its numbers. */
function suite(files, env) {
  const { stdout, stderr } = run(process.execPath, ['--test', '--test-concurrency=1', '--test-reporter=tap', ...files], { cwd: here, env: { ...process.env, ...env } })
  const number = name => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(stdout)?.[1] ?? 0)
  const bad = number('fail') + number('cancelled')
  if (bad || number('pass') === 0) console.log(stdout, stderr)
  if (number('pass') + bad + number('skipped') === 0) count(files.join(), 'no report: the suite did not run')
  for (const line of stdout.match(/^ *ok \d+ - .*$/gm) ?? []) console.log(line)
  passed += number('pass'); failed += bad; skipped += number('skipped')
}

if (only !== '--story') {
  const check = run(process.execPath, [join(browser, 'node_modules/typescript/bin/tsc'), '--noEmit'], { cwd: browser })
  count('The scripts of the pages are well typed', check.status === 0 ? '' : check.stdout + check.stderr)
  const bundle = join(work, 'keys')
  const built = run(process.execPath, ['build.mjs', '--out', bundle, '--entry', 'source/keys.ts'], { cwd: browser })
  if (built.status !== 0) count('The scripts of the pages bundle', built.stderr)
  suite(['keys/vectors.test.mjs'], { EMR_BROWSER_BUNDLE: join(bundle, 'keys.js'), EMR_BROWSER_MODULES: join(browser, 'node_modules') })
}

if (only !== '--keys') {
  const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
  const stories = readdirSync(join(here, 'story')).filter(name => name.endsWith('.test.mjs')).sort().map(name => join('story', name))
  if (!chromium && process.env.CI !== 'true') {
    console.log('skip the pages in Chromium: it is missing (apt-get install chromium)')
    skipped += stories.length
  } else if (!chromium) {
    count('The pages in Chromium', 'Chromium is missing: apt-get install chromium')
  } else if (stories.length > 0) {
    const bundle = join(work, 'keys')
    const built = run(process.execPath, ['build.mjs', '--out', bundle, '--entry', 'source/keys.ts'], { cwd: browser })
    if (built.status !== 0) count('The scripts of the pages bundle', built.stderr)
    suite(stories, { EMR_CHROMIUM: chromium, EMR_END_TO_END: work, EMR_BROWSER_BUNDLE: join(bundle, 'keys.js') })
  }
}
report()
