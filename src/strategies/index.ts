/** The only list of built-in strategies. */
import type { Strategy } from '../core/strategy.ts'
import { bestOfN } from './best-of-n.ts'
import { composed } from './composed.ts'
import { ensemble } from './ensemble.ts'
import { glore } from './glore.ts'
import { iterativeDeepening } from './iterative-deepening.ts'
import { mixture } from './mixture.ts'
import { parallelSynthesis } from './parallel-synthesis.ts'
import { progressive } from './progressive.ts'
import { rsa } from './rsa.ts'
import { selective } from './selective.ts'
import { selfCheck } from './self-check.ts'
import { selfConsistency } from './self-consistency.ts'
import { selfCorrect } from './self-correct.ts'
import { selfRefine } from './self-refine.ts'
import { single } from './single.ts'
import { solverReviewerRefiner } from './solver-reviewer-refiner.ts'
import { universalSelfConsistency } from './universal-self-consistency.ts'
import { verifyRefine } from './verify-refine.ts'

export const STRATEGIES: readonly Strategy[] = [
  single,
  selfRefine,
  selfCorrect,
  progressive,
  bestOfN,
  selective,
  selfConsistency,
  universalSelfConsistency,
  selfCheck,
  ensemble,
  solverReviewerRefiner,
  verifyRefine,
  glore,
  iterativeDeepening,
  rsa,
  parallelSynthesis,
  mixture,
  composed,
]
