// A market of its own for the stories: serve --demo in a new folder, and people with keys, accounts and wallets.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
export const program = join(root, 'artifacts/Embedded/bin/EmrMarket.Silos/release/emrmarket.dll')

const freePort = () => new Promise(resolve => {
  const server = createServer().listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => resolve(port)) })
})

/** Waits until something holds; says what it waited for when it never does. */
export async function until(what, holds, seconds = 120) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    const value = await holds()
    if (value) return value
    await new Promise(resume => setTimeout(resume, 300))
  }
  throw new Error(`waited ${seconds} s for ${what}`)
}

/** Starts a filled market. EMR_DEMO_URL and EMR_DEMO_FOLDER name one that runs already, for those who write stories. */
export async function startMarket() {
  if (process.env.EMR_DEMO_URL) return new Market(process.env.EMR_DEMO_URL, process.env.EMR_DEMO_FOLDER, readFileSync(process.env.EMR_DEMO_LOG, 'utf8'))
  const market = new Market(`http://127.0.0.1:${await freePort()}`, mkdtempSync(join(tmpdir(), 'emr-e2e-')))
  // Nothing outlives the test, however it ends.
  process.once('exit', () => market.child?.kill('SIGKILL'))
  await market.start()
  return market
}

class Market {
  constructor(url, folder, told = '') {
    Object.assign(this, { url, folder, told })
    this.read()
  }

  /** What the server said when it was ready. */
  read() {
    this.links = Object.fromEntries([...this.told.matchAll(/(patient|researcher|site staff|auditor) +(http\S+)/g)].map(([, who, link]) => [who, link]))
  }

  /** Starts the server in its folder, empty or not, and waits until it is filled. */
  async start() {
    this.told = ''
    this.child = spawn('dotnet', [program, 'serve', '--demo', '--urls', this.url, '--folder', join(this.folder, 'chain')], { env: { ...process.env, EMR_ROOT: root }, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', data => { this.told += data })
    this.ended = new Promise(resolve => this.child.once('exit', resolve))
    try {
      await until('the demonstration', () => {
        if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`serve ended with ${this.child.exitCode ?? this.child.signalCode}`)
        return /^ *auditor +http\S+\n/m.test(this.told)
      }, 300)
    } catch (error) {
      await this.stop()
      throw new Error(`${error.message}\n${this.told}`)
    }
    this.read()
  }

  /** Ends the server; its folder stays. */
  async end(signal) {
    this.child.kill(signal)
    const late = setTimeout(() => this.child.kill('SIGKILL'), 20_000)
    await this.ended
    clearTimeout(late)
  }

  /** Ends the server and removes its folder; one that somebody else started goes on. */
  async stop() {
    if (!this.child) return
    await this.end('SIGTERM')
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Calls the API as the operator of this machine. */
  async operator(method, path, body) {
    const token = readFileSync(join(this.folder, 'keys/operator.token'), 'utf8').trim()
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }, ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text ? JSON.parse(text) : undefined
  }

  get = async path => (await fetch(`${this.url}/api/v1${path}`)).json()
}
