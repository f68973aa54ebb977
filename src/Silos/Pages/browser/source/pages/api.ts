/** Calls of this server's own API, with the session's cookie and the token that proves that one of its pages calls. */
import { phraseOf } from '../phrases.ts'

/** One thing that is wrong with a file, and where. */
export interface Fault { readonly code: string; readonly line: number; readonly column: string; readonly message: string; readonly fix: string }

/** The API said no. Its text is for people. */
export class Refusal extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly faults: readonly Fault[] = []) {
    super(message)
    this.name = 'Refusal'
  }
}

const csrf = (): string => document.querySelector<HTMLMetaElement>('meta[name=csrf]')?.content ?? ''

async function callForText(method: string, path: string, body?: string | Blob): Promise<string> {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (method !== 'GET') {
    headers['x-csrf-token'] = csrf()
    headers['idempotency-key'] = Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
  }
  if (body !== undefined) headers['content-type'] = 'application/json'
  const answer = await fetch(`/api/v1${path}`, { method, headers, credentials: 'same-origin', ...(body === undefined ? {} : { body }) })
  const text = await answer.text()
  if (!answer.ok) {
    const problem = (text ? JSON.parse(text) : {}) as { type?: string; title?: string; detail?: string; errors?: Fault[] }
    throw new Refusal(answer.status, problem.type?.split('/').pop() ?? 'unknown', problem.detail ?? problem.title ?? phraseOf('ServerAnswered', answer.status), problem.errors)
  }
  return text
}

async function call<T>(method: string, path: string, body?: string | Blob): Promise<T> {
  const text = await callForText(method, path, body)
  return (text ? JSON.parse(text) : undefined) as T
}

/** Reads. */
export const get = <T>(path: string): Promise<T> => call('GET', path)

/** Changes something; the same call again is answered again. */
export const post = <T>(path: string, body?: unknown): Promise<T> => call('POST', path, body === undefined ? undefined : JSON.stringify(body))

/** The same where the answer is a file, byte by byte. */
export const postForText = (path: string, body: unknown): Promise<string> => callForText('POST', path, JSON.stringify(body))

/** Hands in JSON byte by byte: as the server wrote it, since it has a hash, or as a file holds it. */
export const postAsItIs = <T>(path: string, json: string | Blob): Promise<T> => call('POST', path, json)

/** Asks until there is an answer that will do, once in a while. */
export async function poll<T>(ask: () => Promise<T | undefined>, times: number, pauseMilliseconds = 700): Promise<T> {
  for (let i = 0; i < times; i++) {
    const answer = await ask()
    if (answer !== undefined) return answer
    await new Promise(resume => setTimeout(resume, pauseMilliseconds))
  }
  throw new Error(phraseOf('NotYet'))
}
