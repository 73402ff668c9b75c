/**
 * Recursive self-aggregation, RSA (Venkatraman et al. 2025, arXiv:2509.26626; read in HyperPotatoNeo/RSA): a population
 * of n solutions; in each round every place in it is taken by a new solution made of k random members; in the end the
 * last population votes. k = 1 is self-refinement without a critique, n times over. Deviations: n = 8, k = 3 and three
 * rounds instead of 16, 4 and 10; it stops early when the population is unanimous (`agreement`); text behind the end of
 * a model's thinking stands for the whole.
 */
import { Type } from 'typebox'
import type { StopReason } from '../core/event.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, type Events, type Refinement } from './compose.ts'
import { draftCost, refineCost } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'
import { formOf } from './parts/forms.ts'
import * as options from './parts/options.ts'
import { elect, nextGeneration } from './parts/population.ts'
import { synthesisCost } from './parts/synthesis.ts'

const OPTIONS = Type.Object(
  {
    n: options.samples(8),
    k: options.integer({
      default: 3,
      minimum: 1,
      maximum: 16,
      description: 'Members of the population that each new solution is made of.',
    }),
    rounds: options.integer({
      default: 3,
      minimum: 0,
      maximum: 16,
      description: 'Largest number of generations after the first.',
    }),
    agreement: options.number({
      default: 0.95,
      minimum: 0.5,
      maximum: 1,
      description: 'Share of the population that must give the same answer for it to stop early.',
    }),
  },
  { additionalProperties: false },
)

class Generations {
  readonly #settings: { readonly n: number; readonly k: number; readonly agreement: number }
  readonly #rounds: number
  #population: readonly number[] = []

  constructor(settings: { n: number; k: number; agreement: number; rounds: number }) {
    this.#settings = settings
    this.#rounds = settings.rounds
  }

  async *found(refinement: Refinement): Events<StopReason | undefined> {
    yield* sample(refinement, draftCall(refinement, this.#settings.n))
    refinement.pool.requireCompleted()
    this.#population = refinement.pool.completed
    return yield* this.#vote(refinement, 0)
  }

  async *renew(refinement: Refinement, round: number): Events<StopReason | undefined> {
    const next = yield* nextGeneration(refinement, this.#population, this.#settings.k, round)
    if (next === undefined) return 'no_improvement'
    this.#population = next
    return yield* this.#vote(refinement, round)
  }

  async *#vote(refinement: Refinement, round: number): Events<StopReason | undefined> {
    const { agreement } = this.#settings
    const share = yield* elect(refinement, this.#population, round === this.#rounds)
    return this.#population.length > 1 && share >= agreement ? 'agreement' : undefined
  }
}

export const rsa = defineStrategy({
  name: 'rsa',
  description:
    'A population of solutions; round by round each place is taken by a new one made of several others, then they vote.',
  source: 'Recursive self-aggregation, Venkatraman et al. 2025, arXiv:2509.26626',
  feedback: 'self',
  requires: [],
  options: OPTIONS,
  needs: (given) =>
    options.settle(OPTIONS, given).k > 1
      ? { prompts: [{ role: 'refiner', form: 'aggregate' }] }
      : {},
  worstCase: (size, given) => {
    const { n, k, rounds } = options.settle(OPTIONS, given)
    const calls = n * rounds
    return [draftCost(size, n), k === 1 ? refineCost(size, calls) : synthesisCost(size, calls, k)]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const settings = options.settle(OPTIONS, given)
      if (settings.k > 1) formOf(context, 'refiner', 'aggregate')
      const generations = new Generations(settings)
      return {
        rounds: settings.rounds,
        sampler: (refinement) => generations.found(refinement),
        updater: (refinement, round) => generations.renew(refinement, round),
      }
    }),
})
