/** Proofs, computed in the page: a leaf and its path from the API lead to a root, and the root stands in what the contract's commitment is the hash of. */
import type { Opening } from '../ledger/sumTree.ts'
import { phraseOf } from '../phrases.ts'
import { get } from './api.ts'
import { during, make, need, say } from './dom.ts'
import { keys } from './wallets.ts'

type Kind = 'member' | 'delivery'
interface Step { readonly kind: Kind; readonly batch: string; readonly position: number; readonly committed: string; readonly contract: string; readonly leaf: Readonly<Record<string, string>> }

const path = (kind: Kind, batch: string, position: number): string =>
  kind === 'member' ? `/ledger/epochs/${batch}/members/${position}` : `/ledger/deliveries/${batch}/slots/${position}`

/** Wires one place: data-steps says what is proved, data-block as of which block this server knew the commitments. */
export function wireProof(place: HTMLElement): void {
  const button = need<HTMLButtonElement>('button', place), outcome = need('[data-outcome]', place)
  button.hidden = false
  button.addEventListener('click', () => void during(button, outcome, async () => {
    say(outcome, phraseOf('Checking'))
    const { committedRoot, openingHolds } = await keys()
    const steps = JSON.parse(place.dataset.steps!) as Step[]
    const found: { step: Step; root: string; commitment: string }[] = []
    for (const step of steps) {
      const opening = await get<Opening>(path(step.kind, step.batch, step.position))
      const { root, commitment } = committedRoot(step.kind, step.committed)
      const asked = opening.batchId === step.batch && opening.position === step.position
      const fits = Object.entries(step.leaf).every(([name, value]) => opening.leaf[name] === value)
      if (!asked || !fits || !openingHolds(step.kind, opening, root).holds) {
        say(outcome, phraseOf('NotProven'), 'bad')
        return
      }
      found.push({ step, root, commitment })
    }
    say(outcome, phraseOf('Proven', Number(place.dataset.block).toLocaleString('en')), 'good')
    outcome.append(
      make('p', {}, phraseOf('ProvenByWhom')),
      make('details', {},
        make('summary', {}, phraseOf('ProvenElsewhere')),
        ...found.flatMap(({ step, root, commitment }) => [
          make('p', {}, phraseOf(`ProvenRoot_${step.kind}`), ' ', make('code', {}, root)),
          make('p', {}, phraseOf('ProvenAsk'), ' ', make('code', {}, `cast call ${step.contract} "commitmentOf(bytes32)(bytes32)" 0x${step.batch} --rpc-url ${phraseOf('OwnNode')}`)),
          make('p', {}, phraseOf('ProvenAnswer'), ' ', make('code', {}, `0x${commitment}`)),
        ])))
  }))
}
