/**
 * What ends the work before it is all done: the menu, what each kind needs and costs. The rules are those of
 * `algorithms.md` 5: of its others, hard caps are the run's budget, a user's word is steering, passed tests are the
 * scorer `execution` with `threshold` 1, and a value gate is `process-reward` with a `threshold`.
 */
import { Type, type Static } from 'typebox'
import type { Needs, RoleCost, TaskSize } from '../../core/strategy.ts'
import { FORCED_TOKENS, reviewCost, cost } from '../parts/cost.ts'
import * as options from '../parts/options.ts'
import { choose, kindSchemas, type Chosen, type Menu } from './kinds.ts'
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

/** These end single candidates while they are written, whatever the others say. */
const OF_ONE_CANDIDATE = {
  'low-confidence': {
    warmup: count(4, 256, 'Candidates that are written to their end, to know what is usual.'),
    keep: options.number({
      default: 0.9,
      minimum: 0.01,
      maximum: 1,
      description: 'Share of the first ones that would have been kept: it sets the bar (DeepConf).',
    }),
    window: options.number({
      default: 0.1,
      minimum: 0.001,
      maximum: 1,
      description: 'Sliding window, as a share of the mean length of the first ones.',
    }),
  },
  'probe-agreement': {
    chunk: count(64, 100_000, 'Tokens after which an answer is asked for on a side branch.'),
    agree: count(3, 64, 'Such answers in a row that must be equal (Dynasor).'),
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

/** At any time. */
const AT_ANY_TIME = {
  threshold: {
    score: options.number({
      default: 8,
      minimum: -1_000_000,
      maximum: 100,
      description: 'Score of a candidate, in the scorer’s units, that is good enough.',
    }),
  },
  form: {},
}

const RULES = { ...AT_ANY_TIME, ...WHILE_SAMPLING, ...OF_ONE_CANDIDATE, ...BETWEEN_ROUNDS }
export type StopRule = Chosen<typeof RULES>

const MOST_RULES = 8

const several = (description: string) => ({
  of: Type.Array(
    Type.Object({ kind: Type.Enum(Object.keys(RULES)) }, { 'x-kinds': kindSchemas(RULES) }),
    { minItems: 1, maxItems: MOST_RULES, description },
  ),
})

export const STOPPER = {
  name: 'stopper',
  byDefault: 'none',
  description: 'What ends the work before it is all done.',
  kinds: {
    none: {},
    ...RULES,
    any: several('Rules of which one is enough.'),
    all: several('Rules that must all have said so when they were last asked.'),
  },
} as const satisfies Menu

/** One rule, or several with what joins them, each with the place it was chosen at. */
export interface Stopper {
  readonly mode: 'any' | 'all'
  readonly rules: readonly { readonly rule: StopRule; readonly pointer: string }[]
}

/** @throws RefineError invalid_request naming the option that is wrong. */
export const chooseStopper = (given: Static<ReturnType<typeof Type.Object>>): Stopper => {
  const pointer = `/options/${STOPPER.name}`
  const chosen = choose(STOPPER, given as { kind: string })
  if (chosen.kind === 'none') return { mode: 'any', rules: [] }
  if (chosen.kind !== 'any' && chosen.kind !== 'all') {
    return { mode: 'any', rules: [{ rule: chosen, pointer }] }
  }
  const menu = { name: STOPPER.name, kinds: RULES }
  const rules = chosen.of.map((each, at) => {
    const place = `${pointer}/of/${at}`
    return { rule: choose(menu, each, place), pointer: place }
  })
  return { mode: chosen.kind, rules }
}

export const needsRounds = ({ kind }: StopRule): boolean => kind in BETWEEN_ROUNDS
export const endsOneCandidate = ({ kind }: StopRule): boolean => kind in OF_ONE_CANDIDATE

const NEEDS: { readonly [Kind in StopRule['kind']]?: Needs } = {
  passes: { prompts: [{ role: 'reviewer', form: 'verifyReport' }] },
  'judge-halt': { prompts: [{ role: 'judge', form: 'halt' }] },
  'low-confidence': { capabilities: ['log_probabilities'] },
  'probe-agreement': {
    capabilities: ['assistant_continuation'],
    loses: ['tools', 'response_format'],
  },
}

export const stopperNeeds = ({ rules }: Stopper): readonly Needs[] =>
  rules.map(({ rule }) => NEEDS[rule.kind] ?? {})

/** `considered`: candidates that the judge may have before it at most; `n` first ones are written. */
interface Extent {
  readonly rounds: number
  readonly considered: number
  readonly n: number
}

const ruleCost = (size: TaskSize, rule: StopRule, extent: Extent): RoleCost[] => {
  const { rounds, considered, n } = extent
  if (rule.kind === 'passes') return [reviewCost(size, rule.passes * rounds)]
  if (rule.kind === 'judge-halt') {
    return [readingCost(size, Math.max(0, rounds - rule.least_rounds), considered)]
  }
  if (rule.kind !== 'probe-agreement') return []
  const probes = n * Math.floor(size.maxTokens / rule.chunk)
  const input = size.promptTokens + size.maxTokens + FORCED_TOKENS
  return [cost('generator', probes, input, FORCED_TOKENS)]
}

export const stopperCost = (size: TaskSize, { rules }: Stopper, extent: Extent): RoleCost[] =>
  rules.flatMap(({ rule }) => ruleCost(size, rule, extent))

/** A candidate that is ended by a probe has its answer put behind it. */
export const probedSize = (size: TaskSize, { rules }: Stopper): TaskSize =>
  rules.some(({ rule }) => rule.kind === 'probe-agreement')
    ? { ...size, maxTokens: size.maxTokens + 2 * FORCED_TOKENS }
    : size
