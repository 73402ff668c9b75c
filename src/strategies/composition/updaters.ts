/** What makes better candidates out of those there are: the menu, what each kind needs and costs. */
import { Type } from 'typebox'
import type { Needs, RoleCost, TaskSize } from '../../core/strategy.ts'
import { cost, refineCost, reviewCost } from '../parts/cost.ts'
import * as options from '../parts/options.ts'
import { synthesisCost } from '../parts/synthesis.ts'
import type { Chosen, Menu } from './kinds.ts'

const targets = Type.Optional(
  Type.Enum(['best', 'all'], {
    default: 'best',
    description: 'The best candidate, or every member of the last generation.',
  }),
)

export const UPDATER = {
  name: 'updater',
  byDefault: 'none',
  description: 'What makes better candidates out of those there are, once a round.',
  kinds: {
    none: {},
    rewrite: {
      critique: Type.Optional(
        Type.Enum(['located', 'untargeted', 'none'], {
          default: 'located',
          description: 'What the refiner is told about the candidate.',
        }),
      ),
      targets,
    },
    repair: {
      scope: Type.Optional(
        Type.Enum(['local', 'global', 'both'], {
          default: 'both',
          description:
            'Goes on from the last good step, rewrites the whole, or makes one of each (GLoRe).',
        }),
      ),
      step_threshold: options.number({
        default: 0.5,
        minimum: 0,
        maximum: 1,
        description: 'A step whose score is below this is bad; without scores a reviewer names it.',
      }),
      targets,
    },
    aggregate: {
      k: options.integer({
        default: 3,
        minimum: 1,
        maximum: 16,
        description: 'Members of the population that a new candidate is made of.',
      }),
    },
    tree: {
      width: options.integer({
        default: 1,
        minimum: 1,
        maximum: 16,
        description: 'Answers that are criticised and rewritten side by side in a round.',
      }),
      exploration: options.number({
        default: 0.5,
        minimum: 0,
        maximum: 10,
        description: 'C of the upper bound by which answers are chosen; scores lie in [0, 1].',
      }),
    },
  },
} as const satisfies Menu
export type Updater = Chosen<typeof UPDATER.kinds>

/** New candidates in each round, at most. */
export const madePerRound = (updater: Updater, n: number): number => {
  switch (updater.kind) {
    case 'none':
      return 0
    case 'aggregate':
      return n
    case 'tree':
      return updater.width
    case 'rewrite':
    case 'repair': {
      const made = updater.kind === 'repair' && updater.scope === 'both' ? 2 : 1
      return updater.targets === 'best' ? made : n * made
    }
  }
}

export const updaterNeeds = (updater: Updater): Needs => {
  if (updater.kind === 'rewrite' && updater.critique === 'untargeted') {
    return { prompts: [{ role: 'reviewer', form: 'critique' }] }
  }
  if (updater.kind === 'aggregate' && updater.k > 1) {
    return { prompts: [{ role: 'refiner', form: 'aggregate' }] }
  }
  const continues = updater.kind === 'repair' && updater.scope !== 'global'
  return continues
    ? { capabilities: ['assistant_continuation'], loses: ['tools', 'response_format'] }
    : {}
}

/** A repair keeps the beginning of what it repairs and may go on for as long again, round after round. */
export const repairedSize = (size: TaskSize, updater: Updater, rounds: number): TaskSize =>
  updater.kind === 'repair' && updater.scope !== 'global'
    ? { ...size, maxTokens: size.maxTokens * (1 + rounds) }
    : size

/** `size` is that of the candidates, `newTokens` what one call may write. */
export const updaterCost = (
  size: TaskSize,
  updater: Updater,
  {
    n,
    rounds,
    newTokens,
  }: { readonly n: number; readonly rounds: number; readonly newTokens: number },
): RoleCost[] => {
  const calls = madePerRound(updater, n) * rounds
  const short = (bound: RoleCost): RoleCost => ({ ...bound, outputTokens: bound.calls * newTokens })
  switch (updater.kind) {
    case 'none':
      return []
    case 'aggregate':
      return [
        short(updater.k === 1 ? refineCost(size, calls) : synthesisCost(size, calls, updater.k)),
      ]
    case 'tree':
      return [short(refineCost(size, calls)), reviewCost(size, calls)]
    case 'rewrite':
      return [
        short(refineCost(size, calls)),
        reviewCost(size, updater.critique === 'none' ? 0 : calls),
      ]
    case 'repair': {
      const each = updater.scope === 'both' ? calls / 2 : calls
      const input = size.promptTokens + size.maxTokens
      return [
        reviewCost(size, each),
        short(refineCost(size, updater.scope === 'local' ? 0 : each)),
        cost('generator', updater.scope === 'global' ? 0 : each, input, newTokens),
      ]
    }
  }
}
