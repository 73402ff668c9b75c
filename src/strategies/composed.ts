/**
 * Any point of the product sampler × gate × scorer × updater × selector × stopper (`composition/`): what has no name in
 * the literature can be put together in a request. The parts are those of the named methods. Rounds: stopper and gate
 * decide, the updater makes the next generation, which is scored; in the end the selector chooses.
 */
import { setMaxListeners } from 'node:events'
import type { StopReason, StrategyEvent } from '../core/event.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, react, type Events, type Refinement } from './compose.ts'
import {
  compositionCost,
  needsOf,
  OPTIONS,
  roundsOf,
  settleComposition,
} from './composition/chosen.ts'
import { Course } from './composition/course.ts'
import { decideGate } from './composition/gates.ts'
import { draw } from './composition/sampling.ts'
import { prepareScorer, rateOne, rateTogether, scoreName } from './composition/scorers.ts'
import { choose, lead } from './composition/selectors.ts'
import { Stopping } from './composition/stopping.ts'
import { update } from './composition/updating.ts'
import { formOf } from './parts/forms.ts'
import { callsPerDraft } from './parts/score.ts'

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
  readonly #course: Course
  readonly #stopping: Stopping

  constructor(course: Course) {
    this.#course = course
    this.#stopping = new Stopping(course)
  }

  async *sample(): Events<StopReason | undefined> {
    const course = this.#course
    const { sampler, scorer } = course.chosen
    const sampling = separately(course.refinement)
    const { pool } = sampling
    const ends: number[] = []
    const candidates = (): readonly number[] => (sampler.kind === 'power' ? ends : pool.completed)
    const rate = async function* (candidate: number): Events {
      ends.push(candidate)
      yield* rateOne(sampling, scorer, candidate)
    }
    const callsEach = scorer.kind === 'none' ? 1 : callsPerDraft({ name: scorer.kind })
    const stopping = this.#stopping
    const decide = function* (event: StrategyEvent) {
      course.consider(candidates())
      return yield* stopping.whileSampling(event)
    }
    const stop = yield* react(sampling, draw(sampling, course.chosen, callsEach, rate), decide)
    course.consider(candidates())
    course.generation = course.considered
    pool.requireCompleted()
    yield* this.#leaveBeginnings(ends)
    yield* this.#settle()
    return stop ?? this.#stopping.whenSettled()
  }

  /** What a chain begins with is shown at once, but it is no sample of what the chain samples from. */
  *#leaveBeginnings(ends: readonly number[]): Generator<StrategyEvent, void, void> {
    const { chosen, refinement, considered } = this.#course
    const { pool } = refinement
    const [end] = considered
    if (chosen.sampler.kind !== 'power' || end === undefined || ends.includes(pool.incumbent!))
      return
    yield pool.promote(end, 'end of a chain', null)
  }

  async *gate(round: number): Events<StopReason | undefined> {
    const { refinement, chosen, considered } = this.#course
    const stop = yield* this.#stopping.beforeRound(round)
    return stop ?? (yield* decideGate(refinement.pool, chosen.gate, considered))
  }

  async *update(round: number): Events<StopReason | undefined> {
    const course = this.#course
    const { chosen, refinement } = course
    const { pool } = refinement
    const [before, held] = [pool.size, pool.incumbent]
    const rate = (candidate: number): Events => rateOne(refinement, chosen.scorer, candidate)
    const next = yield* update(course, round, rate)
    const made = pool.completed.filter((candidate) => candidate >= before)
    if (next === undefined || made.length === 0) {
      return this.#stopping.afterRound({ made, held }) ?? 'no_improvement'
    }
    course.generation = next
    const isReplaced = chosen.updater.kind === 'aggregate'
    course.consider(isReplaced ? next : [...course.considered, ...made])
    yield* this.#settle()
    return this.#stopping.afterRound({ made, held })
  }

  async *select(): Events<StopReason | undefined> {
    const { refinement, chosen, considered } = this.#course
    yield* choose(refinement, chosen.selector, scoreName(chosen.scorer), considered)
    return undefined
  }

  /** Scores what is scored together, and lets the best of all lead. */
  async *#settle(): Events {
    const { refinement, chosen, considered } = this.#course
    const { pool } = refinement
    const together = considered.includes(pool.incumbent!)
      ? considered
      : [...considered, pool.incumbent!]
    yield* rateTogether(refinement, chosen.scorer, together)
    yield* lead(pool, chosen.selector, scoreName(chosen.scorer), considered)
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
      prepareScorer(context, chosen.scorer)
      for (const { role, form } of needsOf(chosen).prompts ?? []) formOf(context, role, form)
      let made: Composed | undefined
      const run = (refinement: Refinement): Composed =>
        (made ??= new Composed(new Course(chosen, refinement)))
      return {
        rounds: roundsOf(chosen),
        sampler: (refinement) => run(refinement).sample(),
        gate: (refinement, round) => run(refinement).gate(round),
        updater: (refinement, round) => run(refinement).update(round),
        selector: (refinement) => run(refinement).select(),
      }
    }),
})
