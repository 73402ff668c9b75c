/**
 * Selection by pairwise comparison: knockout and league (Chen et al. 2024, arXiv:2411.19477, "Simple and provable
 * scaling laws for test-time compute"). Every comparison is made in both orders; `comparisons` of them decide a match,
 * sampled with seeds of their own when there are several. Deviation: a tie keeps the incumbent, else the first.
 */
import { merge } from '../../core/merge.ts'
import type { Comparator } from '../../core/scorer.ts'
import type { Events, Refinement } from '../compose.ts'
import { compare } from './comparison.ts'

interface Match {
  readonly left: number
  readonly right: number
  /** One for each comparison; a single comparison is not sampled. */
  readonly seeds: readonly (number | undefined)[]
}

const draw = (refinement: Refinement, left: number, right: number, comparisons: number): Match => {
  const { random } = refinement.context
  const seeds = Array.from({ length: comparisons }, () =>
    comparisons > 1 ? random.seed() : undefined,
  )
  return { left, right, seeds }
}

/** The comparisons of one match, side by side; returns those won by the left minus those won by the right. */
async function* play(
  refinement: Refinement,
  comparator: Comparator,
  { left, right, seeds }: Match,
): Events<number> {
  const winners = yield* merge(
    seeds.map((seed) => compare(refinement, comparator, left, right, seed)),
  )
  const won = (side: 'left' | 'right'): number => winners.filter((winner) => winner === side).length
  return won('left') - won('right')
}

/** Plays a match and promotes who beats the incumbent; returns who goes on. */
async function* decide(
  refinement: Refinement,
  comparator: Comparator,
  match: Match,
): Events<number> {
  const { pool } = refinement
  const margin = yield* play(refinement, comparator, match)
  const winner = margin > 0 ? match.left : margin < 0 ? match.right : undefined
  const incumbent = pool.incumbent!
  if (winner === undefined) return match.right === incumbent ? match.right : match.left
  const loser = winner === match.left ? match.right : match.left
  if (loser === incumbent) yield pool.promote(winner, 'won the comparison', null)
  return winner
}

/**
 * Single elimination in random order: the matches of a round are played side by side, an odd one out goes on. The
 * champion is the incumbent in the end. (N − 1) · comparisons · 2 calls. Returns who stood in each round, all of them in
 * the first and the champion in the last.
 */
export async function* knockout(
  refinement: Refinement,
  comparator: Comparator,
  candidates: readonly number[],
  comparisons: number,
): Events<readonly (readonly number[])[]> {
  let left: readonly number[] = refinement.context.random.shuffle(candidates)
  const rounds = [left]
  while (left.length > 1) {
    const resting = left.length % 2 === 1 ? left.slice(-1) : []
    const matches = Array.from({ length: Math.floor(left.length / 2) }, (_, at) =>
      draw(refinement, left[2 * at]!, left[2 * at + 1]!, comparisons),
    )
    const winners = yield* merge(matches.map((match) => decide(refinement, comparator, match)))
    left = [...resting, ...winners]
    rounds.push(left)
  }
  return rounds
}

/** A knockout whose candidates get the share of its rounds that they survived as their score. */
export async function* rankByKnockout(
  refinement: Refinement,
  comparator: Comparator,
  candidates: readonly number[],
  comparisons: number,
): Events {
  const rounds = yield* knockout(refinement, comparator, candidates, comparisons)
  const most = Math.max(1, rounds.length - 1)
  for (const candidate of candidates) {
    const survived = rounds.filter((left) => left.includes(candidate)).length - 1
    const score = survived / most
    yield { type: 'candidate.scored', candidate, scorer: 'knockout', score, range: [0, 1] }
  }
  yield* refinement.pool.promoteBest('knockout', candidates)
}

/** Matches of a league at most: no pair plays twice. */
export const leagueMatches = (n: number, opponents: number): number =>
  Math.min((n * (n - 1)) / 2, n * opponents)

/**
 * Each candidate meets the next `opponents` ones in a random circle, no pair twice; the share of comparisons won, a tie
 * being half, is its score. At most N · opponents · comparisons · 2 calls.
 */
export async function* league(
  refinement: Refinement,
  comparator: Comparator,
  candidates: readonly number[],
  comparisons: number,
  opponents: number,
): Events {
  const circle = refinement.context.random.shuffle(candidates)
  const pairs = new Map<string, Match>()
  for (const [at, left] of circle.entries()) {
    for (let step = 1; step <= Math.min(opponents, circle.length - 1); step++) {
      const right = circle[(at + step) % circle.length]!
      const key = [left, right].toSorted((one, other) => one - other).join(' ')
      if (!pairs.has(key)) pairs.set(key, draw(refinement, left, right, comparisons))
    }
  }
  const matches = [...pairs.values()]
  const margins = yield* merge(matches.map((match) => play(refinement, comparator, match)))
  for (const candidate of candidates) {
    const shares = matches.flatMap(({ left, right }, at) => {
      const share = margins[at]! / (2 * comparisons)
      return candidate === left ? [0.5 + share] : candidate === right ? [0.5 - share] : []
    })
    const score = shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length)
    yield { type: 'candidate.scored', candidate, scorer: 'league', score, range: [0, 1] }
  }
  yield* refinement.pool.promoteBest('league', candidates)
}
