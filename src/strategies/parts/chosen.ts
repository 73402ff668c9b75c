/** A composition as a request chose it: settled, free of contradictions, and what it costs at most. */
import { Type, type Static } from 'typebox'
import { invalidField } from '../../core/errors.ts'
import type { ScorerName } from '../../core/scorer.ts'
import type { Needs, RoleCost, TaskSize } from '../../core/strategy.ts'
import {
  compareCost,
  draftCost,
  refineCost,
  reviewCost,
  roleInput,
  scoreCost,
  VERDICT_TOKENS,
} from './cost.ts'
import { choose, partSchema } from './kinds.ts'
import { GATE, SAMPLER, SCORER, SELECTOR, STOPPER, UPDATER } from './menu.ts'
import * as options from './options.ts'
import { synthesisCost } from './synthesis.ts'

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

const contradiction = (part: string, message: string): never => {
  throw invalidField(`/options/${part}/kind`, message)
}

/** @throws RefineError invalid_request naming the part, and its option, that is wrong or does not fit the others. */
export const settleComposition = (given: Static<typeof OPTIONS>) => {
  const { rounds, ...parts } = options.settle(OPTIONS, given)
  const chosen = {
    rounds,
    sampler: choose(SAMPLER, parts.sampler),
    gate: choose(GATE, parts.gate),
    scorer: choose(SCORER, parts.scorer),
    updater: choose(UPDATER, parts.updater),
    selector: choose(SELECTOR, parts.selector),
    stopper: choose(STOPPER, parts.stopper),
  }
  const { sampler, gate, scorer, selector, stopper } = chosen
  if (sampler.kind === 'models' && sampler.models.length === 0) {
    throw invalidField('/options/sampler/models', 'must name at least one model')
  }
  if (gate.kind === 'magicore' && scorer.kind !== 'chain-reward') {
    contradiction('gate', '"magicore" needs the scorer "chain-reward"')
  }
  const needsScore = selector.kind === 'best' || selector.kind === 'weighted-vote'
  if (scorer.kind === 'none' && needsScore) {
    contradiction('selector', `"${selector.kind}" needs a scorer`)
  }
  if (scorer.kind === 'none' && stopper.kind === 'threshold') {
    contradiction('stopper', '"threshold" needs a scorer')
  }
  return chosen
}
export type ChosenParts = ReturnType<typeof settleComposition>

/** New candidates in each round, and the most that the selector may have before it. */
const sizes = ({ sampler: { n }, updater, rounds }: ChosenParts) => {
  if (updater.kind === 'none') return { perRound: 0, considered: n }
  if (updater.kind === 'aggregate') return { perRound: n, considered: n }
  const perRound = updater.targets === 'best' ? 1 : n
  return { perRound, considered: n + perRound * rounds }
}

const scorersOf = ({ scorer: { kind } }: ChosenParts): readonly ScorerName[] => {
  if (kind === 'none') return []
  return kind === 'chain-reward' ? ['outcome-reward', 'process-reward'] : [kind]
}

export const needsOf = (chosen: ChosenParts): Needs => {
  const { sampler, updater, selector } = chosen
  const scorers = chosen.scorer.kind === 'chain-reward' ? [] : scorersOf(chosen)
  const untargeted = updater.kind === 'rewrite' && updater.critique === 'untargeted'
  return {
    scorers,
    prompts: [
      ...(untargeted ? [{ role: 'reviewer', form: 'critique' } as const] : []),
      ...(updater.kind === 'aggregate' && updater.k > 1
        ? [{ role: 'refiner', form: 'aggregate' } as const]
        : []),
      ...(selector.kind === 'universal' ? [{ role: 'judge', form: 'select' } as const] : []),
    ],
    models:
      sampler.kind === 'models'
        ? sampler.models.map((id, at) => ({ id, pointer: `/options/sampler/models/${at}` }))
        : [],
  }
}

const samplerCost = (size: TaskSize, { sampler }: ChosenParts): RoleCost[] => {
  if (sampler.kind === 'plain') return [draftCost(size, sampler.n)]
  const { models, n } = sampler
  return models.map((model, at) => {
    const calls = Math.floor(n / models.length) + (at < n % models.length ? 1 : 0)
    return { ...draftCost(size, calls), model }
  })
}

const updaterCost = (size: TaskSize, chosen: ChosenParts): RoleCost[] => {
  const { updater, rounds } = chosen
  const calls = sizes(chosen).perRound * rounds
  if (updater.kind === 'none') return []
  if (updater.kind === 'aggregate') {
    return [updater.k === 1 ? refineCost(size, calls) : synthesisCost(size, calls, updater.k)]
  }
  return [refineCost(size, calls), reviewCost(size, updater.critique === 'none' ? 0 : calls)]
}

const selectorCost = (size: TaskSize, chosen: ChosenParts): RoleCost[] => {
  const { selector } = chosen
  const { considered } = sizes(chosen)
  switch (selector.kind) {
    case 'knockout':
      return [compareCost(size, (considered - 1) * selector.comparisons)]
    case 'league': {
      const pairs = (considered * (considered - 1)) / 2
      const matches = Math.min(pairs, considered * selector.opponents)
      return [compareCost(size, matches * selector.comparisons)]
    }
    case 'universal': {
      const calls = selector.orders
      const input = roleInput(size, considered) + considered * 16
      const outputTokens = calls * VERDICT_TOKENS
      return [{ role: 'judge', calls, inputTokens: calls * input, outputTokens }]
    }
    case 'vote':
    case 'weighted-vote':
    case 'best':
    case 'consensus':
      return []
  }
}

/** The sum of what the parts take at most. */
export const compositionCost = (size: TaskSize, chosen: ChosenParts): RoleCost[] => {
  const candidates = chosen.sampler.n + sizes(chosen).perRound * chosen.rounds
  return [
    ...samplerCost(size, chosen),
    ...scorersOf(chosen).map((name) => scoreCost(size, name, candidates)),
    ...updaterCost(size, chosen),
    ...selectorCost(size, chosen),
  ]
}
