/**
 * MAgICoRe's reward of a chain, r = o + Π p in [0, 2]: an outcome reward and the product of the step scores, each in
 * [0, 1]. A part that is missing (no such scorer, or one that failed) counts as ½: nothing is known.
 */
import { merge } from '../../core/merge.ts'
import type { ScorerName, Scorers } from '../../core/scorer.ts'
import type { Events, Refinement } from '../compose.ts'
import type { Pool } from './pool.ts'
import { score } from './score.ts'

const OUTCOME: ScorerName = 'outcome-reward'
const PROCESS: ScorerName = 'process-reward'
const CHAIN = 'chain-reward'
const UNKNOWN = 0.5

export const outcomeOf = (pool: Pool, candidate: number): number =>
  pool.score(candidate, OUTCOME) ?? UNKNOWN
export const processOf = (pool: Pool, candidate: number): number =>
  pool.score(candidate, PROCESS) ?? UNKNOWN
export const rewardOf = (pool: Pool, candidate: number): number =>
  outcomeOf(pool, candidate) + processOf(pool, candidate)
export const stepsOf = (pool: Pool, candidate: number): readonly number[] | undefined =>
  pool.steps(candidate, PROCESS)
/** Whether `rate` has finished with the candidate. */
export const isRated = (pool: Pool, candidate: number): boolean =>
  pool.score(candidate, CHAIN) !== undefined

/** Scores a chain by every reward the models can give; ends with its `chain-reward`, null when there is none at all. */
export async function* rate(refinement: Refinement, scorers: Scorers, candidate: number): Events {
  const names = [OUTCOME, PROCESS].filter((name) => scorers.has(name))
  const values = yield* merge(
    names.map((name) => score(refinement, scorers.scorer(name), candidate)),
  )
  const known = values.some((value) => value !== null)
  yield {
    type: 'candidate.scored',
    candidate,
    scorer: CHAIN,
    score: known ? rewardOf(refinement.pool, candidate) : null,
    range: [0, 2],
  }
}
