/** Decides when a composition has done enough. */
import type { StopReason, StrategyEvent } from '../../core/event.ts'
import { isNearCopy } from '../../core/similarity.ts'
import type { Events } from '../compose.ts'
import { majorityProbability, vote } from '../parts/ballot.ts'
import { strictReport } from '../parts/critique.ts'
import { formOf } from '../parts/forms.ts'
import { question } from '../parts/question.ts'
import { expectedGain, markovGain } from '../parts/stop-rules.ts'
import { withoutThinking } from '../parts/synthesis.ts'
import type { Course } from './course.ts'
import { scoreName, scoresAlone } from './scorers.ts'

/** Fewer scores say nothing about what the next one will be. */
const LEAST_SCORES = 3
export class Stopping {
  readonly #course: Course
  #misses = 0
  #lead = 0

  constructor(course: Course) {
    this.#course = course
  }

  /** Whether the incumbent has the score that is asked for. */
  get isGoodEnough(): boolean {
    const { chosen, refinement } = this.#course
    if (chosen.stopper.kind !== 'threshold' || refinement.pool.incumbent === undefined) return false
    const score = refinement.pool.score(refinement.pool.incumbent, scoreName(chosen.scorer))
    return (score ?? -Infinity) >= chosen.stopper.score
  }

  /** Whether the reviewer found nothing wrong with the incumbent, and that is to be the end. */
  get isClear(): boolean {
    const { chosen, refinement, critiques } = this.#course
    const { incumbent } = refinement.pool
    if (chosen.stopper.kind !== 'all-clear' || incumbent === undefined) return false
    return critiques.get(incumbent)?.verdict === 'right'
  }

  /** Looks at each event while the first candidates are made; the vote is told where it ends them. */
  *whileSampling(event: StrategyEvent): Generator<StrategyEvent, StopReason | undefined, void> {
    const { chosen, refinement } = this.#course
    const { pool } = refinement
    const scorer = scoreName(chosen.scorer)
    if (event.type === 'candidate.scored' && event.scorer === scorer) {
      if (!scoresAlone(chosen.scorer)) return undefined
      yield* pool.promoteBest(scorer)
      return this.isGoodEnough || this.#isDearer(event) ? 'threshold' : undefined
    }
    if (event.type !== 'candidate.completed' || pool.incumbent === undefined) return undefined
    if (!this.#isAgreed()) return undefined
    yield* vote(pool, this.#course.considered, () => 1)
    return 'agreement'
  }

  /** Whether one more draw would cost more than it is expected to gain. */
  #isDearer({ scorer, range }: Extract<StrategyEvent, { type: 'candidate.scored' }>): boolean {
    const { chosen, refinement } = this.#course
    if (chosen.stopper.kind !== 'reservation') return false
    const [lowest = 0, highest = 1] = range
    const scores = refinement.pool.completed
      .map((candidate) => refinement.pool.score(candidate, scorer))
      .filter((score) => typeof score === 'number')
      .map((score) => (score - lowest) / (highest - lowest))
    return scores.length >= LEAST_SCORES && expectedGain(scores) <= chosen.stopper.cost
  }

  #isAgreed(): boolean {
    const { chosen, considered, refinement } = this.#course
    const { stopper } = chosen
    const [first = 0, second = 0] = this.#course.votes().map(({ weight }) => weight)
    if (stopper.kind === 'first-finished') return considered.length >= stopper.m
    if (stopper.kind === 'beta') {
      return first > 0 && majorityProbability(first, second) >= stopper.confidence
    }
    if (stopper.kind !== 'window' || considered.length < stopper.length) return false
    const last = considered.slice(-stopper.length).map((each) => refinement.pool.answer(each))
    return last[0] !== undefined && last.every((answer) => answer === last[0])
  }

  /** Whether there is any use in one more round; some rules ask a model. */
  async *beforeRound(round: number): Events<StopReason | undefined> {
    const { stopper } = this.#course.chosen
    this.#lead = this.#course.lead()
    if (stopper.kind === 'passes') return yield* this.#verify(stopper.passes)
    if (stopper.kind === 'judge-halt' && round > stopper.least_rounds) return yield* this.#ask()
    if (stopper.kind !== 'markov-gain') return undefined
    const gain = markovGain(this.#lead, stopper.repair, stopper.harm)
    const values = { belief: this.#lead, gain, cost: stopper.cost }
    const outcome = gain > stopper.cost ? 'continue' : 'stop'
    yield { type: 'gate.decided', gate: 'markov-gain', outcome, values }
    return outcome === 'stop' ? 'no_improvement' : undefined
  }

  /** The same answer must pass every time; the reports are sampled, since those of one verifier are much alike. */
  async *#verify(passes: number): Events<StopReason | undefined> {
    const { refinement } = this.#course
    const candidate = refinement.pool.incumbent!
    for (let passed = 0; passed < passes; passed++) {
      const report = yield* strictReport(refinement, candidate)
      if (report?.verdict !== 'pass') return undefined
    }
    return 'threshold'
  }

  async *#ask(): Events<StopReason | undefined> {
    const { refinement, considered } = this.#course
    const { context, pool, task } = refinement
    const texts = considered.map((candidate) => withoutThinking(pool.text(candidate)))
    const prompt = formOf(context, 'judge', 'halt')(task, texts)
    const reply = yield* question(refinement, 'judge', prompt)
    const isEnough = reply !== undefined && context.prompts.judge.readHalt(reply) === true
    const outcome = isEnough ? 'stop' : 'continue'
    yield { type: 'gate.decided', gate: 'judge-halt', outcome, values: {} }
    return isEnough ? 'agreement' : undefined
  }

  /** `made`: new candidates of the round; `held`: the incumbent before it. */
  afterRound(made: readonly number[], held: number | undefined): StopReason | undefined {
    this.#misses = this.#course.refinement.pool.incumbent === held ? this.#misses + 1 : 0
    if (this.isGoodEnough || this.isClear) return 'threshold'
    return this.#isStuck(made) ? 'no_improvement' : undefined
  }

  #isStuck(made: readonly number[]): boolean {
    const { stopper } = this.#course.chosen
    if (stopper.kind === 'stagnation') return this.#misses >= stopper.patience
    if (stopper.kind === 'near-copy') {
      return made.every((each) => this.#resembles(each, (other) => other < made[0]!))
    }
    if (stopper.kind === 'oscillation') {
      return made.some((each) => this.#resembles(each, (other) => this.#isForebear(other, each)))
    }
    if (stopper.kind !== 'marginal-gain') return false
    return this.#course.lead() - this.#lead <= stopper.price * made.length
  }

  #resembles(candidate: number, among: (other: number) => boolean): boolean {
    const { pool } = this.#course.refinement
    return pool.completed
      .filter((other) => other !== candidate && among(other))
      .some((other) => isNearCopy(pool.text(other), pool.text(candidate)))
  }

  /** Whether `other` is an ancestor further back than the parents. */
  #isForebear(other: number, candidate: number): boolean {
    const { pool } = this.#course.refinement
    const open = pool.parents(candidate).flatMap((parent) => pool.parents(parent))
    const seen = new Set<number>()
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === other) return true
      if (seen.has(next)) continue
      seen.add(next)
      open.push(...pool.parents(next))
    }
    return false
  }
}
