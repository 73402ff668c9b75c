/** A composition as a request chose it: settled, free of contradictions, and what it needs and costs at most. */
import { Type, type Static } from 'typebox'
import { invalidField } from '../../core/errors.ts'
import type { Needs, RoleCost, TaskSize } from '../../core/strategy.ts'
import * as options from '../parts/options.ts'
import { GATE } from './gates.ts'
import { choose, partSchema } from './kinds.ts'
import { checkSampler, SAMPLER, samplerCost, samplerNeeds, sizeOf } from './samplers.ts'
import { isBounded, SCORER, scorerCost, scorerNeeds, scoresAlone } from './scorers.ts'
import { SELECTOR, selectorCost, selectorNeeds } from './selectors.ts'
import {
  chooseStopper,
  endsOneCandidate,
  needsRounds,
  probedSize,
  STOPPER,
  stopperCost,
  stopperNeeds,
  type StopRule,
} from './stoppers.ts'
import { madePerRound, repairedSize, UPDATER, updaterCost, updaterNeeds } from './updaters.ts'

export const OPTIONS = Type.Object(
  {
    sampler: partSchema(SAMPLER),
    gate: partSchema(GATE),
    scorer: partSchema(SCORER),
    updater: partSchema(UPDATER),
    selector: partSchema(SELECTOR),
    stopper: partSchema(STOPPER),
    rounds: options.rounds(2),
  },
  { additionalProperties: false },
)

const chooseParts = (given: Static<typeof OPTIONS>) => {
  const { rounds, ...parts } = options.settle(OPTIONS, given)
  return {
    rounds,
    sampler: choose(SAMPLER, parts.sampler),
    gate: choose(GATE, parts.gate),
    scorer: choose(SCORER, parts.scorer),
    updater: choose(UPDATER, parts.updater),
    selector: choose(SELECTOR, parts.selector),
    stopper: chooseStopper(parts.stopper),
  }
}
export type ChosenParts = Readonly<ReturnType<typeof chooseParts>>

interface Contradiction {
  readonly part: 'gate' | 'updater' | 'selector'
  readonly needs: string
  readonly holds: (chosen: ChosenParts) => boolean
}

const hasScorer = ({ scorer }: ChosenParts): boolean => scorer.kind !== 'none'
const hasUpdater = ({ updater }: ChosenParts): boolean => updater.kind !== 'none'

const CONTRADICTIONS: readonly Contradiction[] = [
  {
    part: 'gate',
    needs: 'the scorer "chain-reward"',
    holds: ({ gate, scorer }) => gate.kind !== 'magicore' || scorer.kind === 'chain-reward',
  },
  {
    part: 'gate',
    needs: 'an updater to decide about',
    holds: (chosen) => chosen.gate.kind === 'none' || hasUpdater(chosen),
  },
  {
    part: 'updater',
    needs: 'a scorer',
    holds: (chosen) => chosen.updater.kind !== 'tree' || hasScorer(chosen),
  },
  {
    part: 'selector',
    needs: 'a scorer',
    holds: (chosen) =>
      !['best', 'weighted-vote'].includes(chosen.selector.kind) || hasScorer(chosen),
  },
]

interface RuleContradiction {
  readonly concerns: (rule: StopRule) => boolean
  readonly needs: string
  readonly holds: (chosen: ChosenParts) => boolean
}

const RULE_CONTRADICTIONS: readonly RuleContradiction[] = [
  { concerns: ({ kind }) => kind === 'threshold', needs: 'a scorer', holds: hasScorer },
  {
    concerns: ({ kind }) => kind === 'reservation',
    needs: 'a scorer that scores each candidate by itself, within bounds',
    holds: ({ scorer }) => scoresAlone(scorer) && isBounded(scorer),
  },
  { concerns: needsRounds, needs: 'an updater, whose rounds it ends', holds: hasUpdater },
  {
    concerns: ({ kind }) => kind === 'all-clear',
    needs: 'the updater "rewrite" with a located critique, or "tree"',
    holds: ({ updater }) =>
      updater.kind === 'tree' || (updater.kind === 'rewrite' && updater.critique === 'located'),
  },
  {
    concerns: endsOneCandidate,
    needs: 'the sampler "plain"',
    holds: ({ sampler }) => sampler.kind === 'plain',
  },
  {
    concerns: endsOneCandidate,
    needs: 'to stand alone or among "any": it ends single candidates',
    holds: ({ stopper }) => stopper.mode === 'any',
  },
]

/** @throws RefineError invalid_request naming the rule that does not fit. */
const checkRules = (chosen: ChosenParts): void => {
  for (const { rule, pointer } of chosen.stopper.rules) {
    const broken = RULE_CONTRADICTIONS.find(
      ({ concerns, holds }) => concerns(rule) && !holds(chosen),
    )
    if (broken !== undefined) {
      throw invalidField(`${pointer}/kind`, `"${rule.kind}" needs ${broken.needs}`)
    }
  }
}

/** @throws RefineError invalid_request naming the part, and its option, that is wrong or does not fit the others. */
export const settleComposition = (given: Static<typeof OPTIONS>): ChosenParts => {
  const chosen = chooseParts(given)
  checkSampler(chosen.sampler)
  for (const { part, needs, holds } of CONTRADICTIONS) {
    if (holds(chosen)) continue
    const { kind } = chosen[part] as { readonly kind: string }
    throw invalidField(`/options/${part}/kind`, `"${kind}" needs ${needs}`)
  }
  checkRules(chosen)
  return chosen
}

export const needsOf = ({ sampler, scorer, updater, selector, stopper }: ChosenParts): Needs => {
  const needs = [
    samplerNeeds(sampler),
    scorerNeeds(scorer),
    updaterNeeds(updater),
    selectorNeeds(selector),
    ...stopperNeeds(stopper),
  ]
  return {
    scorers: needs.flatMap(({ scorers = [] }) => scorers),
    capabilities: needs.flatMap(({ capabilities = [] }) => capabilities),
    prompts: needs.flatMap(({ prompts = [] }) => prompts),
    models: needs.flatMap(({ models = [] }) => models),
    sandbox: needs.some(({ sandbox }) => sandbox === true),
    loses: needs.flatMap(({ loses = [] }) => loses),
  }
}

/** Rounds that can happen at all. */
export const roundsOf = ({ updater, rounds }: ChosenParts): number =>
  updater.kind === 'none' ? 0 : rounds

/**
 * How many candidates are before whoever looks at all, after each round, the first ones first. The incumbent may be none
 * of those the answer is chosen from: an older generation's, or the beginning of a chain.
 */
const generationsOf = (chosen: ChosenParts): number[] => {
  const { sampler, updater } = chosen
  const isReplaced = updater.kind === 'aggregate'
  const first = sampler.n + (isReplaced || sampler.kind === 'power' ? 1 : 0)
  const grows = isReplaced ? 0 : madePerRound(updater, sampler.n)
  return Array.from({ length: roundsOf(chosen) + 1 }, (_, round) => first + grows * round)
}

/** The sum of what the parts take at most. */
export const compositionCost = (given: TaskSize, chosen: ChosenParts): RoleCost[] => {
  const { sampler, scorer, updater, selector, stopper } = chosen
  const { n } = sampler
  const rounds = roundsOf(chosen)
  const drafted = probedSize(sizeOf(given, sampler), stopper)
  const size = repairedSize(drafted, updater, rounds)
  const generations = generationsOf(chosen)
  const considered = Math.max(...generations)
  const candidates = n + madePerRound(updater, n) * rounds
  return [
    ...samplerCost(given, sampler),
    ...scorerCost(size, scorer, candidates, generations),
    ...updaterCost(size, updater, { n, rounds, newTokens: given.maxTokens }),
    ...selectorCost(size, selector, considered),
    ...stopperCost(size, stopper, { rounds, considered, n }),
  ]
}
