/** How much work one check of a value against a schema may take: counted, so that it ends, and ends alike every time. */
import { linearPattern } from './linear-pattern.ts'

/** More steps than a check may take; the value counts as not checked. */
export class TooManySteps extends Error {
  override readonly name = 'TooManySteps'
}

/** Making ready one state of a pattern takes as long as so many steps; a step as long as so many of a pattern's own. */
const STEPS_TO_PREPARE = 10
const MATCHES_PER_STEP = 16

export class Steps {
  readonly #prepared = new Set<string>()
  #left: number

  constructor(most: number) {
    this.#left = most
  }

  /** @throws TooManySteps */
  take(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new TooManySteps('The check takes too many steps.')
  }

  /** Whether the pattern is anywhere in the text. @throws TooManySteps, PatternRefused */
  matches(source: string, text: string): boolean {
    const pattern = linearPattern(source)
    if (!this.#prepared.has(source)) this.take(pattern.size * STEPS_TO_PREPARE)
    this.#prepared.add(source)
    this.take(Math.ceil((pattern.size * (text.length + 1)) / MATCHES_PER_STEP))
    return pattern.test(text)
  }
}
