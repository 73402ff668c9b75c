/** What ends the work before it is all done: the menu, what each kind needs and costs. */
import type { Needs, RoleCost, TaskSize } from '../../core/strategy.ts'
import { reviewCost } from '../parts/cost.ts'
import * as options from '../parts/options.ts'
import type { Chosen, Menu } from './kinds.ts'
import { readingCost } from './selectors.ts'

const share = (byDefault: number, description: string) =>
  options.number({ default: byDefault, minimum: 0, maximum: 1, description })
const count = (byDefault: number, maximum: number, description: string) =>
  options.integer({ default: byDefault, minimum: 1, maximum, description })

/** While the first candidates are being made. */
const WHILE_SAMPLING = {
  beta: { confidence: share(0.95, 'Confidence in the majority of the first candidates.') },
  window: { length: count(5, 256, 'First candidates in a row that must give one answer (ESC).') },
  'first-finished': { m: count(3, 256, 'Completed first candidates that are enough (short-m@k).') },
  reservation: {
    cost: share(0.01, 'What one more draw must gain, as a share of the scorer’s range.'),
  },
}

/** Between rounds. */
const BETWEEN_ROUNDS = {
  stagnation: { patience: count(2, 16, 'Rounds in a row that do not change the answer.') },
  'near-copy': {},
  oscillation: {},
  'all-clear': {},
  passes: {
    passes: count(
      3,
      16,
      'Clean reports of a verifier in a row after which the answer is accepted.',
    ),
  },
  'marginal-gain': {
    price: share(0.005, 'What each new candidate must add to the lead of the answer, 0 to 1.'),
  },
  'markov-gain': {
    repair: share(0.3, 'Rate at which wrong answers are repaired (CS).'),
    harm: share(0.1, 'Rate at which right answers are broken (1 − CL).'),
    cost: share(0.02, 'What a round must be expected to gain.'),
  },
  'judge-halt': {
    least_rounds: options.integer({
      default: 1,
      minimum: 0,
      maximum: 16,
      description: 'Rounds before the judge is asked for the first time.',
    }),
  },
}

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
        maximum: 100,
        description: 'Score of a candidate, in the scorer’s units, that is good enough.',
      }),
    },
    ...WHILE_SAMPLING,
    ...BETWEEN_ROUNDS,
  },
} as const satisfies Menu
export type Stopper = Chosen<typeof STOPPER.kinds>

export const needsRounds = ({ kind }: Stopper): boolean => kind in BETWEEN_ROUNDS

export const stopperNeeds = (stopper: Stopper): Needs => {
  if (stopper.kind === 'passes') return { prompts: [{ role: 'reviewer', form: 'verifyReport' }] }
  return stopper.kind === 'judge-halt' ? { prompts: [{ role: 'judge', form: 'halt' }] } : {}
}

/** `considered`: candidates that the judge may have before it at most. */
export const stopperCost = (
  size: TaskSize,
  stopper: Stopper,
  { rounds, considered }: { readonly rounds: number; readonly considered: number },
): RoleCost[] => {
  if (stopper.kind === 'passes') return [reviewCost(size, stopper.passes * rounds)]
  if (stopper.kind !== 'judge-halt') return []
  return [readingCost(size, Math.max(0, rounds - stopper.least_rounds), considered)]
}
