/** What chooses the answer in the end: the menu, what each kind needs and costs, and how it is done. */
import type { StrategyEvent } from '../../core/event.ts'
import type { Needs, RoleCost, TaskSize } from '../../core/strategy.ts'
import type { Events, Refinement } from '../compose.ts'
import { vote } from '../parts/ballot.ts'
import { consent } from '../parts/consensus.ts'
import { compareCost, roleInput, VERDICT_TOKENS } from '../parts/cost.ts'
import * as options from '../parts/options.ts'
import type { Pool } from '../parts/pool.ts'
import { select } from '../parts/select.ts'
import { knockout, league, leagueMatches } from '../parts/tournament.ts'
import type { Chosen, Menu } from './kinds.ts'
import { TOURNAMENTS } from './scorers.ts'

export const SELECTOR = {
  name: 'selector',
  byDefault: 'vote',
  description: 'What chooses the answer in the end.',
  kinds: {
    vote: {},
    'weighted-vote': {},
    best: {},
    ...TOURNAMENTS,
    universal: {
      orders: options.integer({
        default: 1,
        minimum: 1,
        maximum: 2,
        description: 'Orders in which the candidates are read.',
      }),
    },
    consensus: { similarity: options.similarity() },
  },
} as const satisfies Menu
export type Selector = Chosen<typeof SELECTOR.kinds>

export const selectorNeeds = (selector: Selector): Needs =>
  selector.kind === 'universal' ? { prompts: [{ role: 'judge', form: 'select' }] } : {}

/** A judge reads `shown` candidates, `calls` times. */
export const readingCost = (size: TaskSize, calls: number, shown: number): RoleCost => ({
  role: 'judge',
  calls,
  inputTokens: calls * (roleInput(size, shown) + shown * 16),
  outputTokens: calls * VERDICT_TOKENS,
})

export const selectorCost = (
  size: TaskSize,
  selector: Selector,
  considered: number,
): RoleCost[] => {
  switch (selector.kind) {
    case 'knockout':
      return [compareCost(size, (considered - 1) * selector.comparisons)]
    case 'league': {
      const matches = leagueMatches(considered, selector.opponents)
      return [compareCost(size, matches * selector.comparisons)]
    }
    case 'universal':
      return [readingCost(size, selector.orders, considered)]
    case 'vote':
    case 'weighted-vote':
    case 'best':
    case 'consensus':
      return []
  }
}

/** Lets the best of the candidates be the incumbent, where that needs no call; others wait for the end. */
export function* lead(
  pool: Pool,
  { kind }: Selector,
  scorer: string,
  candidates: readonly number[],
): Generator<StrategyEvent, void, void> {
  if (kind === 'vote') yield* vote(pool, candidates, () => 1)
  if (kind === 'best') yield* pool.promoteBest(scorer, candidates)
  if (kind !== 'weighted-vote') return
  const scores = candidates.map((each) => pool.score(each, scorer) ?? undefined)
  const lowest = Math.min(0, ...scores.filter((score) => score !== undefined))
  const weights = new Map(candidates.map((each, at) => [each, (scores[at] ?? lowest) - lowest]))
  yield* vote(pool, candidates, (each) => weights.get(each) ?? 0)
}

/** The last word: of a model, of a tournament, or of the scores and votes there are. */
export async function* choose(
  refinement: Refinement,
  selector: Selector,
  scorer: string,
  candidates: readonly number[],
): Events {
  const comparator = refinement.context.scorers.comparator()
  switch (selector.kind) {
    case 'universal':
      return yield* select(refinement, candidates, selector.orders)
    case 'consensus':
      return yield* consent(refinement.pool, candidates, selector.similarity)
    case 'knockout':
      return void (yield* knockout(refinement, comparator, candidates, selector.comparisons))
    case 'league': {
      const { comparisons, opponents } = selector
      return yield* league(refinement, comparator, candidates, comparisons, opponents)
    }
    case 'vote':
    case 'weighted-vote':
    case 'best':
      return yield* lead(refinement.pool, selector, scorer, candidates)
  }
}
