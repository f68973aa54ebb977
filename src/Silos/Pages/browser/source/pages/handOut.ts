/** Site staff hand a patient the wallet of their records. */
import { phraseOf } from '../phrases.ts'
import { postForText } from './api.ts'
import { during, need, say } from './dom.ts'
import { save } from './wallets.ts'

/** The form that asks the site for a wallet and saves it as a file. */
export function wireHandOut(form: HTMLFormElement): void {
  const outcome = need('[data-outcome]', form), button = need<HTMLButtonElement>('button[type=submit]', form)
  const record = need<HTMLInputElement>('#record', form), passphrase = need<HTMLInputElement>('#wallet-passphrase', form)
  form.addEventListener('submit', event => {
    event.preventDefault()
    void during(button, outcome, async () => {
      const place = record.valueAsNumber
      const file = await postForText(`/sites/${form.dataset.wallet}/wallets`, { schemaId: form.dataset.schema, record: place - 1, passphrase: passphrase.value })
      passphrase.value = ''
      save('emr-wallet.json', file)
      say(outcome, phraseOf('HandedOut', place.toLocaleString('en')), 'good')
    })
  })
}
