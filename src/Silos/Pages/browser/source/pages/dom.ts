/** Building and finding elements; text only, never markup. */

/** The element, or an error that names it. */
export function need<T extends Element = HTMLElement>(selector: string, within: ParentNode = document): T {
  const found = within.querySelector<T>(selector)
  if (!found) throw new Error(`the page has no ${selector}`)
  return found
}

/** A new element with attributes and children. */
export function make<K extends keyof HTMLElementTagNameMap>(name: K, attributes: Record<string, string> = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

/** Says something in a place that screen readers announce. */
export function say(place: HTMLElement, text: string, kind: '' | 'good' | 'warn' | 'bad' = ''): void {
  place.className = text ? `notice ${kind}`.trim() : ''
  place.setAttribute('role', kind === 'bad' ? 'alert' : 'status')
  place.replaceChildren(...(text ? [make('p', {}, text)] : []))
}

/** Does something with a button disabled meanwhile; says what went wrong. */
export async function during(button: HTMLButtonElement, place: HTMLElement, act: () => Promise<void>): Promise<void> {
  if (button.disabled) return
  button.disabled = true
  try {
    await act()
  } catch (error) {
    say(place, error instanceof Error ? error.message : String(error), 'bad')
  } finally {
    button.disabled = false
  }
}
