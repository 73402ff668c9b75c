/** What each part of a composition may be: the axes of the published methods. */
import { Type, type TProperties } from 'typebox'
import { SCORERS } from '../../core/scorer.ts'
import * as options from './options.ts'
import type { Part } from './kinds.ts'

const share = (byDefault: number, description: string) =>
  options.number({ default: byDefault, minimum: 0, maximum: 1, description })
const count = (byDefault: number, maximum: number, description: string) =>
  options.integer({ default: byDefault, minimum: 1, maximum, description })

export const SAMPLER = {
  name: 'sampler',
  byDefault: 'plain',
  description: 'What makes the first candidates.',
  kinds: {
    plain: { n: options.samples(4) },
    models: {
      models: options.modelIds('Ids of the models that answer, in turn.'),
      n: options.samples(4),
    },
  },
} as const satisfies Part<Readonly<Record<string, TProperties>>>

export const SCORER = {
  name: 'scorer',
  byDefault: 'none',
  description: 'What gives each candidate a number.',
  kinds: {
    none: {},
    ...(Object.fromEntries(SCORERS.map((name) => [name, {}])) as Record<
      (typeof SCORERS)[number],
      Record<never, never>
    >),
    'chain-reward': {},
  },
} as const satisfies Part<Readonly<Record<string, TProperties>>>

export const GATE = {
  name: 'gate',
  byDefault: 'none',
  description: 'What decides before each round whether there is anything to refine.',
  kinds: {
    none: {},
    agreement: { share: share(0.75, 'Share of the votes from which the leading answer holds.') },
    difficulty: {
      effective_answers: options.number({
        default: 2,
        minimum: 1,
        maximum: 256,
        description: 'A vote with at most this many effective answers is easy.',
      }),
    },
    'self-check': {
      certainty: options.number({
        default: 1,
        minimum: 0,
        maximum: 10,
        description: 'ln of first over second votes, from which the vote holds.',
      }),
    },
    magicore: {
      effective_answers: options.number({
        default: 3,
        minimum: 1,
        maximum: 256,
        description: 'A vote with at most this many effective answers is easy.',
      }),
      mean: options.number({ default: 1, minimum: 0, maximum: 2, description: 'Average reward.' }),
      deviation: options.number({
        default: 0.5,
        minimum: 0.01,
        maximum: 2,
        description: 'Standard deviation of the reward.',
      }),
    },
  },
} as const satisfies Part<Readonly<Record<string, TProperties>>>

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
      targets: Type.Optional(
        Type.Enum(['best', 'all'], {
          default: 'best',
          description: 'The best candidate, or every member of the last generation.',
        }),
      ),
    },
    aggregate: { k: count(3, 16, 'Members of the population that a new candidate is made of.') },
  },
} as const satisfies Part<Readonly<Record<string, TProperties>>>

export const SELECTOR = {
  name: 'selector',
  byDefault: 'vote',
  description: 'What chooses the answer in the end.',
  kinds: {
    vote: {},
    'weighted-vote': {},
    best: {},
    knockout: { comparisons: count(1, 16, 'Comparisons that decide a match.') },
    league: {
      comparisons: count(1, 16, 'Comparisons that decide a match.'),
      opponents: count(3, 255, 'Opponents each candidate draws.'),
    },
    universal: { orders: count(1, 2, 'Orders in which the candidates are read.') },
    consensus: { similarity: options.similarity() },
  },
} as const satisfies Part<Readonly<Record<string, TProperties>>>

export const STOPPER = {
  name: 'stopper',
  byDefault: 'none',
  description: 'What ends the work before it is all done.',
  kinds: {
    none: {},
    threshold: {
      score: options.number({
        default: 8,
        minimum: -1_000_000,
        maximum: 9,
        description: 'Score of a candidate, in the scorer’s units, that is good enough.',
      }),
    },
    beta: { confidence: share(0.95, 'Confidence in the majority of the first candidates.') },
    'first-finished': {
      m: count(3, 256, 'Completed first candidates that are enough (short-m@k).'),
    },
    stagnation: { patience: count(2, 16, 'Rounds in a row that do not change the answer.') },
    'near-copy': {},
  },
} as const satisfies Part<Readonly<Record<string, TProperties>>>
