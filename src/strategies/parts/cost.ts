/** Closed-form upper bounds, in tokens of the generator. Every bound holds for each prompt set (a test measures them). */
import type { ScorerName } from '../../core/scorer.ts'
import type { RoleCost, TaskSize } from '../../core/strategy.ts'
import type { Role } from '../../core/task.ts'

/** More than the wording of any role prompt takes. */
export const WORDING_TOKENS = 640
/** Longest review (`Prompt.maxTokens`). */
export const REVIEW_TOKENS = 1024
/** Longest other wording of a question. */
export const PARAPHRASE_TOKENS = 1024
/** Longest forced answer, and more than the words that ask for it. */
export const FORCED_TOKENS = 48
/** The criteria of a rubric, at their number and length at most. */
const CRITERIA_TOKENS = 1200
/** Longest verdict of a judge or of a critic of steps. */
export const VERDICT_TOKENS = 1024
/** Steps in a numbered draft, and what number and score of a step take. */
const MAX_STEPS = 64
const STEP_TOKENS = 6

export const cost = (
  role: Role,
  calls: number,
  inputTokens: number,
  outputTokens: number,
): RoleCost => ({
  role,
  calls,
  inputTokens: calls * inputTokens,
  outputTokens: calls * outputTokens,
})

/** Input of a role prompt that shows the task and `drafts` drafts, at least one of them with its steps numbered. */
export const roleInput = ({ promptTokens, maxTokens }: TaskSize, drafts = 1): number =>
  promptTokens +
  drafts * maxTokens +
  WORDING_TOKENS +
  drafts * STEP_TOKENS * Math.min(MAX_STEPS, maxTokens)

export const draftCost = ({ promptTokens, maxTokens }: TaskSize, samples: number): RoleCost =>
  cost('generator', samples, promptTokens, maxTokens)

/** Of one review, at most. */
export const SECOND_LOOKS = 2
/** Reply to a second look. */
const SECOND_LOOK_TOKENS = 128

/** Where the prompts take second looks, each is a question that shows two drafts, and the rest of the review anew. */
export const reviewCost = (size: TaskSize, reviews: number): RoleCost => {
  const looks = size.looksTwice === true ? SECOND_LOOKS : 0
  return {
    role: 'reviewer',
    calls: reviews * (1 + 2 * looks),
    inputTokens:
      reviews * ((1 + looks) * roleInput(size) + looks * (roleInput(size, 2) + REVIEW_TOKENS)),
    outputTokens: reviews * ((1 + looks) * REVIEW_TOKENS + looks * SECOND_LOOK_TOKENS),
  }
}

/** `earlier` attempts are shown to the refiner beside the draft. */
export const refineCost = (size: TaskSize, revisions: number, earlier = 0): RoleCost =>
  cost(
    'refiner',
    revisions,
    roleInput(size, 1 + earlier) + (1 + earlier) * REVIEW_TOKENS,
    size.maxTokens,
  )

const SCORER_ROLES: Readonly<Record<ScorerName, Role>> = {
  judge: 'judge',
  rubric: 'judge',
  'outcome-reward': 'outcome_reward',
  'process-reward': 'process_reward',
  likelihood: 'generator',
  'self-certainty': 'generator',
  'token-confidence': 'generator',
  execution: 'generator',
}

/** A digit, a verdict and one retry. */
const CALLS_PER_SCORE: Readonly<Record<ScorerName, number>> = {
  judge: 3,
  rubric: 2,
  'outcome-reward': 3,
  'process-reward': 2,
  likelihood: 1,
  'self-certainty': 0,
  'token-confidence': 0,
  execution: 0,
}

export const scoreCost = (size: TaskSize, name: ScorerName, scores: number): RoleCost =>
  cost(
    SCORER_ROLES[name],
    scores * CALLS_PER_SCORE[name],
    roleInput(size) + VERDICT_TOKENS + (name === 'rubric' ? CRITERIA_TOKENS : 0),
    VERDICT_TOKENS,
  )

/** Two orders for each comparison. */
export const compareCost = (size: TaskSize, comparisons: number): RoleCost =>
  cost('judge', 2 * comparisons, roleInput(size, 2), VERDICT_TOKENS)
