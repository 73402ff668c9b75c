/** The only list of built-in strategies. */
import type { Strategy } from '../core/strategy.ts'
import { bestOfN } from './best-of-n.ts'
import { iterativeDeepening } from './iterative-deepening.ts'
import { selfConsistency } from './self-consistency.ts'
import { selfRefine } from './self-refine.ts'
import { single } from './single.ts'
import { universalSelfConsistency } from './universal-self-consistency.ts'
import { solverReviewerRefiner } from './solver-reviewer-refiner.ts'

export const STRATEGIES: readonly Strategy[] = [
  single,
  selfRefine,
  bestOfN,
  selfConsistency,
  universalSelfConsistency,
  solverReviewerRefiner,
  iterativeDeepening,
]
