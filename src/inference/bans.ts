/**
 * Tokens that are not sampled in some places: the first of an answer, or where they would complete a sequence that is not
 * wanted. `begin_suppress_tokens` and `bad_words_ids` of generation_config.json.
 */

interface BanRules {
  readonly atStart: readonly number[]
  /** Of two tokens or more. */
  readonly sequences: readonly (readonly number[])[]
  readonly vocabulary: number
  /** Tokens that are banned everywhere, which is seen to elsewhere. */
  readonly never: readonly number[]
}

export class Bans {
  readonly #rules: BanRules

  constructor(rules: BanRules) {
    this.#rules = rules
  }

  /**
   * What may come next, one byte per token; undefined: nothing is banned here. A constraint goes before bans: where it
   * would be left without a token, they do not hold.
   * @param allowed by a constraint
   */
  allowed(
    prompt: Int32Array,
    answer: readonly number[],
    allowed: Uint8Array | undefined,
  ): Uint8Array | undefined {
    const banned = this.#next(prompt, answer)
    if (banned.length === 0) return undefined
    const left = allowed?.slice() ?? new Uint8Array(this.#rules.vocabulary).fill(1)
    for (const token of banned) left[token] = 0
    for (const token of this.#rules.never) left[token] = 0
    return left.includes(1) ? left : undefined
  }

  #next(prompt: Int32Array, answer: readonly number[]): readonly number[] {
    const { atStart, sequences } = this.#rules
    /** Token so many places before the next one. */
    const before = (places: number): number | undefined =>
      places <= answer.length
        ? answer[answer.length - places]
        : prompt[prompt.length + answer.length - places]
    const completed = sequences.filter((sequence) =>
      sequence.every(
        (token, at) => at === sequence.length - 1 || before(sequence.length - 1 - at) === token,
      ),
    )
    const last = completed.map((sequence) => sequence.at(-1)!)
    return answer.length === 0 ? [...atStart, ...last] : last
  }
}
