/** What the scripts say, out of the resources that hold the words of all pages (Texts/ScriptTexts.resx). */
import words from '../../Texts/ScriptTexts.resx'

/** The text of a name, its places {0}, {1}, … filled in. */
export function phraseOf(name: string, ...values: readonly (string | number)[]): string {
  const text = words[name]
  if (text === undefined) throw new Error(`there is no text ${name}`)
  return text.replace(/\{(\d)\}/g, (_, place: string) => String(values[Number(place)]))
}
