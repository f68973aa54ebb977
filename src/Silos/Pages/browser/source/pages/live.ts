/** A form whose answer follows what is typed. The server computes, by the same page that the form's button asks for: without scripts there is the button. */
import { phraseOf } from '../phrases.ts'
import { make } from './dom.ts'

const pause = 350

/** Wires a form with data-live, which names the place that holds the answer. */
export function wireLive(form: HTMLFormElement): void {
  const place = document.getElementById(form.dataset.live!)!
  const status = make('p', { role: 'status', class: 'visually-hidden' })
  form.append(status)
  form.querySelectorAll<HTMLElement>('[data-live-button]').forEach(button => { button.hidden = true })
  let timer = 0
  let asking: AbortController | undefined

  const address = (): string => `${form.getAttribute('action')}?${new URLSearchParams([...new FormData(form)].map(([name, value]): [string, string] => [name, String(value)]))}`
  const ask = async (): Promise<void> => {
    asking?.abort()
    const own = asking = new AbortController()
    place.setAttribute('aria-busy', 'true')
    try {
      const answer = await fetch(address(), { signal: own.signal, credentials: 'same-origin', headers: { accept: 'text/html' } })
      // A document that is only read: nothing in it runs.
      const read = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById(place.id)
      if (own.signal.aborted) return
      if (read) place.replaceChildren(...[...read.childNodes].map(node => document.importNode(node, true)))
      document.querySelectorAll('[data-stale-on-change]').forEach(stale => stale.remove())
      status.textContent = phraseOf('Computed')
    } catch (error) {
      if (!own.signal.aborted) throw error
    } finally {
      if (asking === own) place.removeAttribute('aria-busy')
    }
  }

  form.addEventListener('input', event => {
    // Another data set has other attributes to choose from: a page of its own.
    if ((event.target as HTMLElement).id === 'schema') return location.assign(address())
    clearTimeout(timer)
    timer = window.setTimeout(() => void ask().catch(() => { /* the next change, or the button, asks again */ }), pause)
  })
}
