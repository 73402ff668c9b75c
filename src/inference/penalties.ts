/** Penalties on tokens that were used already, as changes of single logits. */
import type { SamplingParameters } from './protocol.ts'

export interface LogitChanges {
  /** Distinct tokens. */
  readonly tokens: readonly number[]
  /** Subtracted from the logit of each. */
  readonly subtracted: readonly number[]
  /** Before that, positive logits of these tokens are divided by it and negative ones multiplied. */
  readonly repetition: number
}

export const penalises = (sampling: SamplingParameters): boolean =>
  sampling.repetitionPenalty !== 1 ||
  sampling.presencePenalty !== 0 ||
  sampling.frequencyPenalty !== 0

/**
 * Repetition: CTRL (Keskar et al. 2019, arXiv:1909.05858, section 4.1), over prompt and answer. Presence and frequency as
 * OpenAI defines them, over the answer.
 */
export class Penalties {
  readonly #sampling: SamplingParameters
  /** How often each token occurs in the answer; those of the prompt are here too where they count. */
  readonly #counts: Map<number, number>

  constructor(sampling: SamplingParameters, prompt: Int32Array) {
    this.#sampling = sampling
    const counted = sampling.repetitionPenalty === 1 ? [] : [...prompt]
    this.#counts = new Map(counted.map((token) => [token, 0]))
  }

  take(token: number): void {
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1)
  }

  get changes(): LogitChanges {
    const { presencePenalty, frequencyPenalty, repetitionPenalty: repetition } = this.#sampling
    const subtracted = Array.from(this.#counts.values(), (count) =>
      count === 0 ? 0 : presencePenalty + count * frequencyPenalty,
    )
    return { tokens: [...this.#counts.keys()], subtracted, repetition }
  }
}
