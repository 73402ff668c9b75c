/** Tokens that are found in a text before it is cut into words. */
import type { AddedToken } from '../checkpoint/tokenizer-file.ts'

/** A token, or text between two. */
type Section = number | string

export class AddedTokens {
  /** By their first UTF-16 unit, longest first. */
  readonly #byStart = new Map<number, (readonly [string, AddedToken])[]>()

  /** @param tokens with the text under which each is found */
  constructor(tokens: readonly (readonly [string, AddedToken])[]) {
    const longestFirst = tokens.toSorted(([left], [right]) => right.length - left.length)
    for (const entry of longestFirst) {
      if (entry[0] === '') continue
      const unit = entry[0].charCodeAt(0)
      this.#byStart.set(unit, [...(this.#byStart.get(unit) ?? []), entry])
    }
  }

  /** The longest token where several begin; no text is empty. */
  split(text: string): readonly Section[] {
    const sections: Section[] = []
    let start = 0
    let strip = false
    const take = (end: number, next?: AddedToken): void => {
      let part = text.slice(start, end)
      if (strip) part = part.trimStart()
      if (next?.lstrip === true) part = part.trimEnd()
      if (part !== '') sections.push(part)
    }
    for (let at = 0; at < text.length;) {
      const found = this.#at(text, at)
      if (found === undefined) {
        at++
        continue
      }
      const [content, token] = found
      take(at, token)
      sections.push(token.id)
      at += content.length
      start = at
      strip = token.rstrip === true
    }
    take(text.length)
    return sections
  }

  #at(text: string, at: number): readonly [string, AddedToken] | undefined {
    return this.#byStart.get(text.charCodeAt(at))?.find(([content]) => text.startsWith(content, at))
  }
}
