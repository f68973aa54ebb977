/** Proofs, computed in the page: a leaf and its path from the API, the root from the ledger as the page was rendered. */
import type { Opening } from '../ledger/sumTree.ts'
import { texts } from '../texts.ts'
import { get } from './api.ts'
import { during, need, say } from './dom.ts'
import { keys } from './wallets.ts'

type Kind = 'member' | 'delivery'
const path = (kind: Kind, batch: string, position: string): string =>
  kind === 'member' ? `/ledger/epochs/${batch}/members/${position}` : `/ledger/deliveries/${batch}/slots/${position}`

/** Wires one place: data-proof says what, data-batch, data-position and data-root where, data-leaf which fields the leaf must have. */
export function wireProof(place: HTMLElement): void {
  const button = need<HTMLButtonElement>('button', place), outcome = need('[data-outcome]', place)
  button.hidden = false
  button.addEventListener('click', () => void during(button, outcome, async () => {
    say(outcome, texts.checking)
    const { openingHolds } = await keys()
    for (const step of (JSON.parse(place.dataset.steps!) as { kind: Kind; batch: string; position: number; root: string; leaf: Record<string, string> }[])) {
      const opening = await get<Opening>(path(step.kind, step.batch, String(step.position)))
      const asked = opening.batchId === step.batch && opening.position === step.position
      const fits = Object.entries(step.leaf).every(([name, value]) => opening.leaf[name] === value)
      if (!asked || !fits || !openingHolds(step.kind, opening, step.root).holds) {
        say(outcome, texts.notProven, 'bad')
        return
      }
    }
    say(outcome, texts.proven(Number(place.dataset.block).toLocaleString('en')), 'good')
  }))
}
