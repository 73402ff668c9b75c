/**
 * Best-of-N: n drafts, the best one wins. Selection by a scorer as in Cobbe et al. 2021 (arXiv:2110.14168); with the
 * judge it is Self-J's best-of-N (`scoring/judge.ts`), with the likelihood that of "sharpening" (Huang et al. 2024,
 * arXiv:2412.01951), with `knockout` or `league` a tournament of comparisons (arXiv:2411.19477). Each draft is scored
 * while the others are still being written; with a threshold the first that reaches it ends the others.
 *
 * Deviations: eight drafts instead of 100 (Cobbe) or 32 (Self-J), since a scorer that errs is fooled by many; a tie keeps
 * what led before.
 */
import { Type, type Static } from 'typebox'
import { invalidField } from '../core/errors.ts'
import { SCORERS, type Scorer } from '../core/scorer.ts'
import { defineStrategy } from '../core/strategy.ts'
import { compose, react, type Events, type Stage } from './compose.ts'
import { compareCost, draftCost, scoreCost } from './parts/cost.ts'
import { draftCall, sample } from './parts/draft.ts'
import { sampleAndScore } from './parts/sample-and-score.ts'
import * as options from './parts/options.ts'
import { callsPerDraft, score, selectByScore } from './parts/score.ts'
import { knockout, league, leagueMatches } from './parts/tournament.ts'

const OPTIONS = Type.Object(
  {
    n: options.samples(8),
    scorer: Type.Optional(
      Type.Enum([...SCORERS, 'knockout', 'league'], {
        default: 'judge',
        description:
          'What finds the best draft: a scorer, or a tournament of comparisons in both orders.',
      }),
    ),
    threshold: options.threshold(),
    comparisons: options.integer({
      default: 2,
      minimum: 1,
      maximum: 16,
      description: 'Comparisons that decide a match of a tournament.',
    }),
    opponents: options.integer({
      default: 3,
      minimum: 1,
      maximum: 255,
      description: 'Opponents each draft draws in a league.',
    }),
  },
  { additionalProperties: false },
)

const settle = (given: Static<typeof OPTIONS>) => {
  const settled = options.settle(OPTIONS, given)
  const isTournament = settled.scorer === 'knockout' || settled.scorer === 'league'
  if (isTournament && settled.threshold !== undefined) {
    throw invalidField('/options/threshold', 'a tournament gives no score to compare it with')
  }
  return settled
}

/** Samples and scores at the same time. */
const scoring =
  (n: number, scorer: Scorer, threshold: number | undefined): Stage =>
  (refinement) => {
    async function* rate(candidate: number): Events {
      yield* score(refinement, scorer, candidate)
    }
    const call = draftCall(refinement, n, callsPerDraft(scorer))
    const events = sampleAndScore(refinement, call, rate)
    return react(refinement, events, selectByScore(refinement, scorer, threshold))
  }

/** Samples what leaves calls enough for a tournament. */
const contenders = (n: number, comparisons: number): Stage =>
  async function* (refinement) {
    yield* sample(refinement, draftCall(refinement, n, 1 + 2 * comparisons))
    return undefined
  }

export const bestOfN = defineStrategy({
  name: 'best-of-n',
  description:
    'Several drafts side by side; the best one by score, or by a tournament of comparisons, is the answer.',
  source: 'Cobbe et al. 2021, arXiv:2110.14168, section 4; judge: Self-J, Ye and Ng 2024',
  feedback: 'reward',
  requires: [],
  options: OPTIONS,
  needs: (given) => {
    const { scorer } = settle(given)
    return scorer === 'knockout' || scorer === 'league' ? {} : { scorers: [scorer] }
  },
  worstCase: (size, given) => {
    const { n, scorer, comparisons, opponents } = settle(given)
    const drafts = draftCost(size, n)
    if (scorer === 'knockout') return [drafts, compareCost(size, (n - 1) * comparisons)]
    if (scorer !== 'league') return [drafts, scoreCost(size, scorer, n)]
    return [drafts, compareCost(size, leagueMatches(n, opponents) * comparisons)]
  },
  run: (task, given, context) =>
    compose(task, context, () => {
      const { n, scorer, threshold, comparisons, opponents } = settle(given)
      if (scorer !== 'knockout' && scorer !== 'league') {
        return { sampler: scoring(n, context.scorers.scorer(scorer), threshold) }
      }
      const comparator = context.scorers.comparator()
      return {
        sampler: contenders(n, comparisons),
        selector: async function* (refinement) {
          const { completed } = refinement.pool
          if (scorer === 'knockout') {
            yield* knockout(refinement, comparator, completed, comparisons)
          } else yield* league(refinement, comparator, completed, comparisons, opponents)
          return undefined
        },
      }
    }),
})
