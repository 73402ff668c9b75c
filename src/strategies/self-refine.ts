/**
 * Self-Refine (Madaan et al. 2023, arXiv:2303.17651; read in madaan/self-refine): draft, located critique, rewrite,
 * repeated up to three times. `critique: untargeted` is the domain-agnostic variant of Democratizing LLMs (Shashidhar et
 * al. 2023, arXiv:2310.07611): what the reviewer thinks could be better, without steps or verdict; theirs is `rounds: 1`.
 *
 * Deviations: the paper returns the last version, and its own figures per round are not monotone; here a revision must
 * beat the incumbent under the same scorer, or in a comparison in both orders, and the next round goes on from the
 * incumbent. An incumbent that was reviewed once is not reviewed again. Of the history, which the paper shows in whole,
 * only `history` rejected attempts are shown (default none: with `patience` 1 there are none), where the prompt set has a
 * form for them. No examples stand in the prompts; a review whose verdict cannot be read is not asked for again (the
 * paper: up to three times) but shown as it is. The scorer is apart from the critique; drafts keep the task's temperature.
 */
import { Type } from 'typebox'
import type { StopReason } from '../core/event.ts'
import type { Attempt, Critique } from '../core/prompts.ts'
import { SCORERS, type Comparator, type Scorer } from '../core/scorer.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, type Events, type Refinement, type Stage } from './compose.ts'
import { compare } from './parts/comparison.ts'
import { compareCost, draftCost, refineCost, reviewCost, scoreCost } from './parts/cost.ts'
import { critique, isOutdated, untargetedCritique } from './parts/critique.ts'
import { draftCall, sample } from './parts/draft.ts'
import { formOf } from './parts/forms.ts'
import * as options from './parts/options.ts'
import { revise } from './parts/revise.ts'
import { score } from './parts/score.ts'

const OPTIONS = Type.Object(
  {
    rounds: options.rounds(3),
    scorer: Type.Optional(
      Type.Enum([...SCORERS, 'pairwise'], {
        default: 'judge',
        description: 'What must find a revision better before it replaces the answer.',
      }),
    ),
    critique: Type.Optional(
      Type.Enum(['located', 'untargeted'], {
        default: 'located',
        description: 'Asks for the first wrong step and a verdict, or for any remarks.',
      }),
    ),
    threshold: options.threshold(),
    patience: options.integer({
      default: 1,
      minimum: 1,
      maximum: 16,
      description: 'Rounds in a row without improvement before it stops.',
    }),
    history: options.integer({
      default: 0,
      minimum: 0,
      maximum: 8,
      description: 'Rejected attempts shown to the refiner, the newest ones.',
    }),
  },
  { additionalProperties: false },
)

type Rating = { readonly scorer: Scorer } | { readonly comparator: Comparator }

interface Settings {
  readonly critique: 'located' | 'untargeted'
  readonly rating: Rating
  readonly threshold: number | undefined
  readonly patience: number
  readonly history: number
}

/** Scores the incumbent unless it has its score. */
async function* scoreIncumbent(refinement: Refinement, scorer: Scorer): Events<number | null> {
  const incumbent = refinement.pool.incumbent!
  const known = refinement.pool.score(incumbent, scorer.name)
  return known === undefined ? yield* score(refinement, scorer, incumbent) : known
}

/** Promotes the revision if it is better; a mere repetition is not even scored. */
async function* accept(refinement: Refinement, rating: Rating, revision: number): Events<boolean> {
  const { pool } = refinement
  const incumbent = pool.incumbent!
  if (incumbent === revision) return true // it has the form that the one before it lacked
  if (pool.text(revision).trim() === pool.text(incumbent).trim()) return false
  if ('comparator' in rating) {
    const won = (yield* compare(refinement, rating.comparator, incumbent, revision)) === 'right'
    if (won) yield pool.promote(revision, 'won the comparison', null)
    return won
  }
  yield* scoreIncumbent(refinement, rating.scorer)
  yield* score(refinement, rating.scorer, revision)
  yield* pool.promoteBest(rating.scorer.name)
  return pool.incumbent !== incumbent
}

/** One loop over the rounds of a run: what was said of the incumbent, and the attempts that did not replace it. */
class Rewriting {
  readonly #settings: Settings
  #reviewed: { readonly candidate: number; readonly critique: Critique } | undefined
  #rejected: Attempt[] = []
  #misses = 0

  constructor(settings: Settings) {
    this.#settings = settings
  }

  readonly round: Stage = (refinement, round) => this.#round(refinement, round)

  async *#round(refinement: Refinement, round: number): Events<StopReason | undefined> {
    const { rating, patience } = this.#settings
    const found = yield* this.#review(refinement)
    if (found === undefined) return 'no_improvement'
    if (found.verdict === 'right') return 'finished'
    const revision = yield* revise(refinement, {
      parent: refinement.pool.incumbent!,
      critique: found.text,
      round,
      earlier: this.#rejected,
    })
    if (revision !== undefined && (yield* accept(refinement, rating, revision))) {
      this.#misses = 0
      this.#rejected = []
      return yield* this.reached(refinement)
    }
    if (revision !== undefined) this.#reject(refinement.pool.text(revision))
    return ++this.#misses >= patience ? 'no_improvement' : undefined
  }

  /** `threshold` when the incumbent is good enough. */
  async *reached(refinement: Refinement): Events<StopReason | undefined> {
    const { rating, threshold } = this.#settings
    if (threshold === undefined || 'comparator' in rating) return undefined
    const value = yield* scoreIncumbent(refinement, rating.scorer)
    return value !== null && value >= threshold ? 'threshold' : undefined
  }

  async *#review(refinement: Refinement): Events<Critique | undefined> {
    const candidate = refinement.pool.incumbent!
    const known = this.#reviewed
    if (known?.candidate === candidate && !isOutdated(refinement, candidate, known.critique)) {
      return known.critique
    }
    const ask = this.#settings.critique === 'located' ? critique : untargetedCritique
    const found = yield* ask(refinement, candidate)
    if (found !== undefined) this.#reviewed = { candidate, critique: found }
    return found
  }

  #reject(text: string): void {
    const { history } = this.#settings
    const attempts = [...this.#rejected, { text, critique: undefined }]
    this.#rejected = history === 0 ? [] : attempts.slice(-history)
  }
}

export const selfRefine = defineStrategy({
  name: 'self-refine',
  description:
    'A draft, a critique that says what is wrong and where, a rewrite; repeated while the rewrite is better than what it replaces.',
  source: 'Madaan et al. 2023, arXiv:2303.17651',
  feedback: 'self',
  requires: [],
  options: OPTIONS,
  needs: (given) => {
    const { scorer, critique: kind } = options.settle(OPTIONS, given)
    return {
      ...(scorer === 'pairwise' ? {} : { scorers: [scorer] }),
      ...(kind === 'untargeted' ? { prompts: [{ role: 'reviewer', form: 'critique' }] } : {}),
    }
  },
  worstCase: (size, given) => {
    const { rounds, scorer, history } = options.settle(OPTIONS, given)
    return [
      draftCost(size, 1),
      reviewCost(size, rounds),
      refineCost(size, rounds, Math.min(history, Math.max(0, rounds - 1))),
      scorer === 'pairwise' ? compareCost(size, rounds) : scoreCost(size, scorer, rounds + 1),
    ]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { rounds, scorer, ...rest } = options.settle(OPTIONS, given)
      const rating: Rating =
        scorer === 'pairwise'
          ? { comparator: context.scorers.comparator() }
          : { scorer: context.scorers.scorer(scorer) }
      if (rest.critique === 'untargeted') formOf(context, 'reviewer', 'critique')
      const rewriting = new Rewriting({ ...rest, rating })
      return {
        rounds,
        sampler: async function* (refinement) {
          yield* sample(refinement, draftCall(refinement, 1))
          refinement.pool.requireCompleted()
          return yield* rewriting.reached(refinement)
        },
        updater: rewriting.round,
      }
    }),
})
