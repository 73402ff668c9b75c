/** How far one run of a composition has come. */
import type { Critique } from '../../core/prompts.ts'
import { countVotes, type AnswerWeight } from '../../core/vote.ts'
import type { Refinement } from '../compose.ts'
import type { ChosenParts } from './chosen.ts'

export class Course {
  readonly chosen: ChosenParts
  readonly refinement: Refinement
  /** What the next round begins with. */
  generation: readonly number[] = []
  #considered: readonly number[] = []
  /** What was said about a candidate last. */
  readonly critiques = new Map<number, Critique>()

  constructor(chosen: ChosenParts, refinement: Refinement) {
    this.chosen = chosen
    this.refinement = refinement
  }

  /** What the answer is chosen from. */
  get considered(): readonly number[] {
    return this.#considered
  }

  consider(candidates: readonly number[]): void {
    const { steering } = this.refinement.context
    this.#considered = candidates.filter((candidate) => !steering.isDropped(candidate))
  }

  /** One vote each. */
  votes(): AnswerWeight[] {
    const { pool } = this.refinement
    return countVotes(
      this.#considered.map((candidate) => ({
        candidate,
        answer: pool.answer(candidate),
        weight: 1,
      })),
    )
  }

  /** Share of the candidates that give the leading answer, 0 where nobody gives any. */
  lead(): number {
    return (this.votes()[0]?.weight ?? 0) / Math.max(1, this.#considered.length)
  }
}
