/** Decides when a composition has done enough: by any of its rules, or by all of them. */
import type { StopReason, StrategyEvent } from '../../core/event.ts'
import type { Events } from '../compose.ts'
import { vote } from '../parts/ballot.ts'
import type { Course } from './course.ts'
import { bringToLife, isOwnScore, type LiveRule, type Round } from './rules.ts'

/** A rule's word holds until it is asked again. */
interface Asked {
  readonly rule: LiveRule
  saysStop: boolean
}

export class Stopping {
  readonly #course: Course
  readonly #asked: readonly Asked[]

  constructor(course: Course) {
    this.#course = course
    this.#asked = course.chosen.stopper.rules.map(({ rule }) => ({
      rule: bringToLife(rule, course),
      saysStop: false,
    }))
  }

  /** Looks at each event while the first candidates are made; the vote is told where it ends them. */
  *whileSampling(event: StrategyEvent): Generator<StrategyEvent, StopReason | undefined, void> {
    const { pool } = this.#course.refinement
    if (event.type === 'candidate.scored' && isOwnScore(this.#course, event)) {
      yield* pool.promoteBest(event.scorer)
      return this.#ask(({ onScored }) => onScored?.(event))
    }
    if (event.type !== 'candidate.completed' || pool.incumbent === undefined) return undefined
    const stop = this.#ask(({ onCompleted }) => onCompleted?.())
    if (stop === 'agreement') yield* vote(pool, this.#course.considered, () => 1)
    return stop
  }

  /** Whether there is any use in a round, once a generation is there and scored. */
  whenSettled(): StopReason | undefined {
    return this.#ask(({ onSettled }) => onSettled?.())
  }

  /** The same, by those rules that ask a model or count anew each round. */
  async *beforeRound(round: number): Events<StopReason | undefined> {
    for (const { rule } of this.#asked) rule.startRound?.()
    for (const asked of this.#asked) {
      const { beforeRound } = asked.rule
      if (beforeRound === undefined) continue
      asked.saysStop = yield* beforeRound(round)
      const stop = asked.saysStop ? this.#decide(asked) : undefined
      if (stop !== undefined) return stop
    }
    return undefined
  }

  afterRound(round: Round): StopReason | undefined {
    return this.whenSettled() ?? this.#ask(({ afterRound }) => afterRound?.(round))
  }

  /** Asks the rules that know this moment; the first of them that decides says why. */
  #ask(word: (rule: LiveRule) => boolean | undefined): StopReason | undefined {
    const heard = this.#asked.filter((asked) => {
      const said = word(asked.rule)
      if (said !== undefined) asked.saysStop = said
      return said === true
    })
    return heard.map((asked) => this.#decide(asked)).find((stop) => stop !== undefined)
  }

  #decide({ rule }: Asked): StopReason | undefined {
    const { mode } = this.#course.chosen.stopper
    return mode === 'any' || this.#asked.every(({ saysStop }) => saysStop) ? rule.reason : undefined
  }
}
