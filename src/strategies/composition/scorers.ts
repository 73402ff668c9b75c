/** What gives candidates a number: the menu, what each kind needs and costs, and how it is done. */
import { Type } from 'typebox'
import type { StrategyEvent } from '../../core/event.ts'
import { AGGREGATES, CRITERIA, type ScorerName, type ScorerSettings } from '../../core/scorer.ts'
import { FORM } from '../../core/validity.ts'
import type { Needs, RoleCost, StrategyContext, TaskSize } from '../../core/strategy.ts'
import { countVotes } from '../../core/vote.ts'
import type { Events, Refinement } from '../compose.ts'
import { rate } from '../parts/chain-reward.ts'
import { consent } from '../parts/consensus.ts'
import { compareCost, scoreCost } from '../parts/cost.ts'
import * as options from '../parts/options.ts'
import { score } from '../parts/score.ts'
import { league, leagueMatches, rankByKnockout } from '../parts/tournament.ts'
import type { Chosen, Menu } from './kinds.ts'

const comparisons = options.integer({
  default: 1,
  minimum: 1,
  maximum: 16,
  description: 'Comparisons, in both orders, that decide a match.',
})
const opponents = options.integer({
  default: 3,
  minimum: 1,
  maximum: 255,
  description: 'Opponents each candidate draws.',
})
export const TOURNAMENTS = {
  knockout: { comparisons },
  league: { comparisons, opponents },
} as const

export const SCORER = {
  name: 'scorer',
  byDefault: 'none',
  description:
    'What gives each candidate a number. vote, similarity, knockout and league look at all candidates together.',
  kinds: {
    none: {},
    judge: {},
    rubric: {
      criteria: Type.Optional(
        Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
          default: [...CRITERIA],
          minItems: 1,
          maxItems: 16,
          description: 'What answers are graded on, each by itself.',
        }),
      ),
    },
    form: {},
    'outcome-reward': {},
    'process-reward': {
      aggregate: Type.Optional(
        Type.Enum([...AGGREGATES], {
          default: 'product',
          description: 'How the probabilities of the steps become one number.',
        }),
      ),
    },
    likelihood: {
      per_token: Type.Optional(
        Type.Boolean({ default: false, description: 'The mean over the tokens, not their sum.' }),
      ),
    },
    'self-certainty': {},
    'token-confidence': {
      window: options.number({
        default: 0.1,
        minimum: 0.001,
        maximum: 1,
        description: 'Share of the text that the sliding window takes.',
      }),
    },
    execution: {},
    'chain-reward': {},
    vote: {},
    similarity: { similarity: options.similarity() },
    ...TOURNAMENTS,
  },
} as const satisfies Menu
export type ScorerChoice = Chosen<typeof SCORER.kinds>

/** Scorers of the server, with what is said about them. */
const singleOf = (
  scorer: ScorerChoice,
): { readonly name: ScorerName; readonly settings: ScorerSettings } | undefined => {
  switch (scorer.kind) {
    case 'judge':
    case 'outcome-reward':
    case 'self-certainty':
    case 'execution':
      return { name: scorer.kind, settings: {} }
    case 'rubric':
      return { name: scorer.kind, settings: { criteria: scorer.criteria } }
    case 'process-reward':
      return { name: scorer.kind, settings: { aggregate: scorer.aggregate } }
    case 'likelihood':
      return { name: scorer.kind, settings: { perToken: scorer.per_token } }
    case 'token-confidence':
      return { name: scorer.kind, settings: { window: scorer.window } }
    case 'none':
    case 'form':
    case 'chain-reward':
    case 'vote':
    case 'similarity':
    case 'knockout':
    case 'league':
      return undefined
  }
}

/** Whether a candidate can be scored by itself, as soon as it is there. */
export const scoresAlone = (scorer: ScorerChoice): boolean =>
  ['chain-reward', 'form'].includes(scorer.kind) || singleOf(scorer) !== undefined

/** The name under which its scores are told. */
export const scoreName = ({ kind }: ScorerChoice): string =>
  kind === 'similarity' ? 'consensus' : kind

/** The name under which steps are told, where its scores have any. */
export const stepsName = (scorer: ScorerChoice): string =>
  scorer.kind === 'chain-reward' ? 'process-reward' : scoreName(scorer)

/** Whether a share of its range means something: the one of likelihoods is open below. */
export const isBounded = ({ kind }: ScorerChoice): boolean => kind !== 'likelihood'

export const scorerNeeds = (scorer: ScorerChoice): Needs => {
  const single = singleOf(scorer)
  return single === undefined ? {} : { scorers: [single.name] }
}

/** Asks for what the run's models must be able to feed, before anything is drawn. */
export const prepareScorer = ({ scorers }: StrategyContext, scorer: ScorerChoice): void => {
  const single = singleOf(scorer)
  if (single !== undefined) scorers.scorer(single.name, single.settings)
}

/** `candidates` are scored once each; `generations` are the sizes of what is scored together, time after time. */
export const scorerCost = (
  size: TaskSize,
  scorer: ScorerChoice,
  candidates: number,
  generations: readonly number[],
): RoleCost[] => {
  const single = singleOf(scorer)
  if (single !== undefined) return [scoreCost(size, single.name, candidates)]
  if (scorer.kind === 'chain-reward') {
    return [
      scoreCost(size, 'outcome-reward', candidates),
      scoreCost(size, 'process-reward', candidates),
    ]
  }
  const sum = (count: (n: number) => number): number =>
    generations.reduce((total, n) => total + count(n), 0)
  if (scorer.kind === 'knockout') {
    return [
      compareCost(
        size,
        sum((n) => (n - 1) * scorer.comparisons),
      ),
    ]
  }
  if (scorer.kind !== 'league') return []
  const matches = sum((n) => leagueMatches(n, scorer.opponents))
  return [compareCost(size, matches * scorer.comparisons)]
}

/** Drafts of a task that asks for a form have their score already; anything fits a task that asks for none. */
function* rateForm({ pool }: Refinement, candidate: number): Generator<StrategyEvent, void, void> {
  if (pool.score(candidate, FORM) !== undefined) return
  const score = pool.fault(candidate) === undefined ? 1 : 0
  yield { type: 'candidate.scored', candidate, scorer: FORM, score, range: [0, 1] }
}

/** Scores one candidate; nothing where the scorer looks at all together. */
export async function* rateOne(
  refinement: Refinement,
  scorer: ScorerChoice,
  candidate: number,
): Events {
  const { scorers } = refinement.context
  const single = singleOf(scorer)
  if (single !== undefined) {
    yield* score(refinement, scorers.scorer(single.name, single.settings), candidate)
  } else if (scorer.kind === 'chain-reward') yield* rate(refinement, scorers, candidate)
  else if (scorer.kind === 'form') yield* rateForm(refinement, candidate)
}

function* rateByVote(
  { pool }: Refinement,
  candidates: readonly number[],
): Generator<StrategyEvent, void, void> {
  const ballots = candidates.map((candidate) => ({
    candidate,
    answer: pool.answer(candidate),
    weight: 1,
  }))
  const shares = new Map(countVotes(ballots).map(({ answer, weight }) => [answer, weight]))
  for (const { candidate, answer } of ballots) {
    const votes = answer === undefined ? 0 : shares.get(answer)!
    const score = votes / candidates.length
    yield { type: 'candidate.scored', candidate, scorer: 'vote', score, range: [0, 1] }
  }
}

/** Scores all candidates against each other; nothing where each is scored by itself. */
export async function* rateTogether(
  refinement: Refinement,
  scorer: ScorerChoice,
  candidates: readonly number[],
): Events {
  if (candidates.length === 0) return
  const comparator = refinement.context.scorers.comparator()
  if (scorer.kind === 'vote') yield* rateByVote(refinement, candidates)
  if (scorer.kind === 'similarity') yield* consent(refinement.pool, candidates, scorer.similarity)
  if (scorer.kind === 'knockout') {
    yield* rankByKnockout(refinement, comparator, candidates, scorer.comparisons)
  }
  if (scorer.kind === 'league') {
    yield* league(refinement, comparator, candidates, scorer.comparisons, scorer.opponents)
  }
}
