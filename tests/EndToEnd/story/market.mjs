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
  if (process.env.EMR_DEMO_URL) return new Market(process.env.EMR_DEMO_URL, process.env.EMR_DEMO_FOLDER, async () => {}, readFileSync(process.env.EMR_DEMO_LOG, 'utf8'))
  const folder = mkdtempSync(join(tmpdir(), 'emr-e2e-'))
  const url = `http://127.0.0.1:${await freePort()}`
  const child = spawn('dotnet', [program, 'serve', '--demo', '--urls', url, '--folder', join(folder, 'chain')], { env: { ...process.env, EMR_ROOT: root }, stdio: ['ignore', 'pipe', 'pipe'] })
  let told = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => { told += data })
  const ended = new Promise(resolve => child.once('exit', resolve))
  const stop = async () => {
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
    await ended
    clearTimeout(late)
    rmSync(folder, { recursive: true, force: true })
  }
  // Nothing outlives the test, however it ends.
  process.once('exit', () => child.kill('SIGKILL'))
  try {
    await until('the demonstration', () => {
      if (child.exitCode !== null) throw new Error(`serve ended with ${child.exitCode}:\n${told}`)
      return /^ *auditor +http\S+\n/m.test(told)
    }, 300)
  } catch (error) {
    await stop()
    throw new Error(`${error.message}\n${told}`)
  }
  return new Market(url, folder, stop, told)
}

class Market {
  constructor(url, folder, stop, told) {
    const links = Object.fromEntries([...told.matchAll(/(patient|researcher|site staff|auditor) +(http\S+)/g)].map(([, who, link]) => [who, link]))
    Object.assign(this, { url, folder, stop, links })
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
