/**
 * Any point of the product sampler × gate × scorer × updater × selector × stopper (`parts/menu.ts`): what has no name in
 * the literature can be put together in a request. The parts are those of the named methods. Rounds: the gate decides,
 * the updater makes the next generation, which is scored; in the end the selector chooses.
 */
import { setMaxListeners } from 'node:events'
import type { StopReason, StrategyEvent } from '../core/event.ts'
import { merge } from '../core/merge.ts'
import { isNearCopy } from '../core/similarity.ts'
import { defineStrategy, type NamedModel } from '../core/strategy.ts'
import { countVotes, type AnswerWeight } from '../core/vote.ts'
import { compose, react, type Events, type Refinement } from './compose.ts'
import { majorityProbability, vote } from './parts/ballot.ts'
import { rate } from './parts/chain-reward.ts'
import {
  compositionCost,
  needsOf,
  OPTIONS,
  settleComposition,
  type ChosenParts,
} from './parts/chosen.ts'
import { consent } from './parts/consensus.ts'
import { critique, untargetedCritique } from './parts/critique.ts'
import { draftCall, sample, sampleAndScore } from './parts/draft.ts'
import { decideGate } from './parts/gates.ts'
import { formOf } from './parts/forms.ts'
import { proposeByAll } from './parts/layers.ts'
import { nextGeneration } from './parts/population.ts'
import { revise } from './parts/revise.ts'
import { score } from './parts/score.ts'
import { select } from './parts/select.ts'
import { knockout, league } from './parts/tournament.ts'

/** The same run with an end of its own: cutting the sampling off leaves the selector its models. */
const separately = (refinement: Refinement): Refinement => {
  const work = new AbortController()
  const signal = AbortSignal.any([refinement.context.signal, work.signal])
  // One listener for each call under way is what is wanted here, not a leak.
  setMaxListeners(0, signal)
  return {
    ...refinement,
    context: { ...refinement.context, signal },
    cancel: () => work.abort(new DOMException('No longer needed.', 'AbortError')),
  }
}

class Composed {
  readonly #chosen: ChosenParts
  readonly #refinement: Refinement
  #generation: readonly number[] = []
  #considered: readonly number[] = []
  #misses = 0

  constructor(chosen: ChosenParts, refinement: Refinement) {
    this.#chosen = chosen
    this.#refinement = refinement
  }

  async *sample(): Events<StopReason | undefined> {
    const { sampler, scorer } = this.#chosen
    const sampling = separately(this.#refinement)
    const { context, pool } = sampling
    const call = draftCall(sampling, sampler.n, scorer.kind === 'none' ? 1 : 2)
    const named = sampler.kind === 'plain' ? [] : sampler.models.map((id) => context.model(id))
    const rated = (candidate: number): Events => this.#rate(sampling, candidate)
    const events =
      sampler.kind !== 'plain'
        ? this.#propose(sampling, named)
        : scorer.kind === 'none'
          ? sample(sampling, call)
          : sampleAndScore(sampling, call, rated)
    const stop = yield* react(sampling, events, (event) => this.#decide(event))
    this.#generation = pool.completed
    this.#considered = pool.completed
    return stop
  }

  async *gate(): Events<StopReason | undefined> {
    return yield* decideGate(this.#refinement.pool, this.#chosen.gate, this.#considered)
  }

  async *update(round: number): Events<StopReason | undefined> {
    const { pool } = this.#refinement
    const { updater, stopper } = this.#chosen
    if (updater.kind === 'none') return 'finished'
    const [before, held] = [pool.size, pool.incumbent]
    const next =
      updater.kind === 'aggregate'
        ? yield* nextGeneration(this.#refinement, this.#generation, updater.k, round)
        : yield* this.#rewrite(round)
    const made = pool.completed.filter((candidate) => candidate >= before)
    if (next === undefined || made.length === 0) return 'no_improvement'
    if (updater.kind === 'aggregate')
      yield* merge(made.map((candidate) => this.#rate(this.#refinement, candidate)))
    this.#generation = next
    this.#considered = updater.kind === 'aggregate' ? next : pool.completed
    yield* this.#lead()
    this.#misses = pool.incumbent === held ? this.#misses + 1 : 0
    if (this.#isGoodEnough()) return 'threshold'
    if (stopper.kind === 'stagnation' && this.#misses >= stopper.patience) return 'no_improvement'
    const isCopied = made.every((candidate) =>
      pool.completed.some(
        (other) => other < before && isNearCopy(pool.text(other), pool.text(candidate)),
      ),
    )
    return stopper.kind === 'near-copy' && isCopied ? 'no_improvement' : undefined
  }

  async *select(): Events<StopReason | undefined> {
    const { selector } = this.#chosen
    const [refinement, candidates] = [this.#refinement, this.#considered]
    const comparator = refinement.context.scorers.comparator()
    if (selector.kind === 'universal') yield* select(refinement, candidates, selector.orders)
    else if (selector.kind === 'consensus') {
      yield* consent(refinement.pool, candidates, selector.similarity)
    } else if (selector.kind === 'knockout') {
      yield* knockout(refinement, comparator, candidates, selector.comparisons)
    } else if (selector.kind === 'league') {
      const { comparisons, opponents } = selector
      yield* league(refinement, comparator, candidates, comparisons, opponents)
    } else yield* this.#lead()
    return undefined
  }

  async *#propose(sampling: Refinement, named: readonly NamedModel[]): Events {
    const { n } = this.#chosen.sampler
    const authors = Array.from({ length: n }, (_, place) => named[place % named.length])
    yield* proposeByAll(sampling, authors)
    const { completed } = sampling.pool
    yield* merge(completed.map((candidate) => this.#rate(sampling, candidate)))
  }

  async *#rate(refinement: Refinement, candidate: number): Events {
    const { kind } = this.#chosen.scorer
    const { scorers } = refinement.context
    if (kind === 'none') return
    if (kind === 'chain-reward') yield* rate(refinement, scorers, candidate)
    else yield* score(refinement, scorers.scorer(kind), candidate)
  }

  async *#rewrite(round: number): Events<readonly number[] | undefined> {
    const { updater } = this.#chosen
    const { context, pool } = this.#refinement
    if (updater.kind !== 'rewrite') return undefined
    const targets = updater.targets === 'best' ? [pool.incumbent!] : this.#generation
    const ask = updater.critique === 'located' ? critique : untargetedCritique
    const one = async function* (self: Composed, parent: number, seed: number): Events<number> {
      const found = updater.critique === 'none' ? undefined : yield* ask(self.#refinement, parent)
      if (found?.verdict === 'right') return parent
      const plan = { parent, critique: found?.text, round, seed }
      const revision = yield* revise(self.#refinement, plan)
      if (revision === undefined) return parent
      yield* self.#rate(self.#refinement, revision)
      return revision
    }
    return yield* merge(targets.map((parent) => one(this, parent, context.random.seed())))
  }

  #votes(): AnswerWeight[] {
    const { pool } = this.#refinement
    return countVotes(
      this.#considered.map((candidate) => ({
        candidate,
        answer: pool.answer(candidate),
        weight: 1,
      })),
    )
  }

  /** Lets the best candidate so far be the incumbent, where that needs no call. */
  *#lead(): Generator<StrategyEvent, void, void> {
    const { selector, scorer } = this.#chosen
    const { pool } = this.#refinement
    if (selector.kind === 'vote') yield* vote(pool, this.#considered, () => 1)
    if (selector.kind === 'weighted-vote') {
      const scores = this.#considered.map((each) => pool.score(each, scorer.kind) ?? 0)
      const lowest = Math.min(0, ...scores)
      const weights = new Map(this.#considered.map((each, at) => [each, scores[at]! - lowest]))
      yield* vote(pool, this.#considered, (each) => weights.get(each) ?? 0)
    }
    if (selector.kind === 'best') yield* pool.promoteBest(scorer.kind)
  }

  #isGoodEnough(): boolean {
    const { scorer, stopper } = this.#chosen
    const { pool } = this.#refinement
    if (stopper.kind !== 'threshold') return false
    const value = pool.score(pool.incumbent!, scorer.kind) ?? -Infinity
    return value >= stopper.score
  }

  /** The rules that end the sampling. */
  *#decide(event: StrategyEvent): Generator<StrategyEvent, StopReason | undefined, void> {
    const { scorer, stopper } = this.#chosen
    const { pool } = this.#refinement
    if (event.type === 'candidate.scored' && event.scorer === scorer.kind) {
      yield* pool.promoteBest(scorer.kind)
      return this.#isGoodEnough() ? 'threshold' : undefined
    }
    if (event.type !== 'candidate.completed') return undefined
    this.#considered = pool.completed
    if (stopper.kind === 'first-finished' && pool.completed.length >= stopper.m) return 'agreement'
    if (stopper.kind !== 'beta' || pool.incumbent === undefined) return undefined
    const [first = 0, second = 0] = this.#votes().map(({ weight }) => weight)
    if (first === 0 || majorityProbability(first, second) < stopper.confidence) return undefined
    yield* vote(pool, pool.completed, () => 1)
    return 'agreement'
  }
}

export const composed = defineStrategy({
  name: 'compose',
  description:
    'Puts a method together from its parts: sampler, gate, scorer, updater, selector and stopper.',
  source: 'the product of the parts of all other strategies',
  feedback: 'self',
  requires: [],
  options: OPTIONS,
  needs: (given) => needsOf(settleComposition(given)),
  worstCase: (size, given) => compositionCost(size, settleComposition(given)),
  run: (task, given, context) =>
    compose(task, context, () => {
      const chosen = settleComposition(given)
      const { scorers = [], prompts = [] } = needsOf(chosen)
      for (const name of scorers) context.scorers.scorer(name)
      for (const { role, form } of prompts) formOf(context, role, form)
      let made: Composed | undefined
      const run = (refinement: Refinement): Composed => (made ??= new Composed(chosen, refinement))
      return {
        rounds: chosen.updater.kind === 'none' ? 0 : chosen.rounds,
        sampler: (refinement) => run(refinement).sample(),
        gate: (refinement) => run(refinement).gate(),
        updater: (refinement, round) => run(refinement).update(round),
        selector: (refinement) => run(refinement).select(),
      }
    }),
})
