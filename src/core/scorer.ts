/** Ports to what gives a candidate a number, its steps a vector, or orders a pair. Adapters live in `scoring`. */
import type { CallOptions } from './language-model.ts'
import type { Task } from './task.ts'

export interface Draft {
  readonly text: string
  /** Sum of the log-probabilities of its tokens, and their number, where the model told them. */
  readonly logProbability?: number
  readonly tokens?: number
  /** How peaked the distribution of each token was, where alternatives were asked for: mean of −ln p over them. */
  readonly confidences?: readonly number[]
}

export interface Score {
  /** Within the scorer's range; null when the judge's answer could not be read. */
  readonly score: number | null
  /** One number in [0, 1] per step, for process scorers. */
  readonly steps?: readonly number[]
  /** What the score is made of, in its range, for scorers that look at several aspects. */
  readonly aspects?: readonly { readonly aspect: string; readonly score: number }[]
  /** Something the user should know: a retry, a degraded way of scoring. */
  readonly warning?: { readonly code: string; readonly message: string }
}

/** Higher is better for every scorer. */
export interface Scorer {
  readonly name: string
  readonly range: readonly [number, number]
  /** @throws RefineError scorer_unavailable when the model it needs cannot do it. */
  score(task: Task, draft: Draft, options: CallOptions): Promise<Score>
}

export interface Comparison {
  /** `tie` when the verdict changes with the order or cannot be read. */
  readonly winner: 'left' | 'right' | 'tie'
  /**
   * The verdict in each order of presentation: which one was shown first, and who won. Empty where the two look the same to
   * the judge, who was not asked.
   */
  readonly orders: readonly {
    readonly first: 'left' | 'right'
    readonly winner: 'left' | 'right' | 'tie'
  }[]
}

export interface Comparator {
  readonly name: string
  /** With a seed the verdict is sampled, so that several of one pair can differ; without one it is always the same. */
  compare(
    task: Task,
    left: Draft,
    right: Draft,
    options: CallOptions & { readonly seed?: number },
  ): Promise<Comparison>
}

/** Names a request may choose a scorer by. */
export const SCORERS = [
  'judge',
  'rubric',
  'outcome-reward',
  'process-reward',
  'likelihood',
  'self-certainty',
  'token-confidence',
  'execution',
] as const
export type ScorerName = (typeof SCORERS)[number]

/** How the probabilities of the steps become one number (`scoring/process-reward.ts`). */
export const AGGREGATES = ['product', 'min', 'last', 'mean', 'clipped'] as const
export type Aggregate = (typeof AGGREGATES)[number]

/** What answers to any task can be graded on. */
export const CRITERIA: readonly string[] = [
  'What it says is right.',
  'It answers everything that is asked, in the form that is asked for.',
  'Each claim follows from the task, from what stands before it, or from what is well known.',
  'It is clear, and no longer than it needs to be.',
]

/** What may be said about a scorer beside its name; others do not mind. */
export interface ScorerSettings {
  /** Process reward; default `product`, as in MAgICoRe. */
  readonly aggregate?: Aggregate
  /** Likelihood as the mean over the tokens; default false: their sum. */
  readonly perToken?: boolean
  /** Rubric: what an answer is graded on; default `CRITERIA`. */
  readonly criteria?: readonly string[]
  /** Token confidence: share of the text that the sliding window takes, in (0, 1]; default 0.1. */
  readonly window?: number
}

export interface Scorers {
  /** @throws RefineError unsupported_capability when the models of the run cannot feed this scorer. */
  scorer(name: ScorerName, settings?: ScorerSettings): Scorer
  comparator(): Comparator
  /** Whether the models of the run can feed this scorer. */
  has(name: ScorerName): boolean
  /**
   * Alternatives per token that candidates must be written with for the scorers made so far; undefined: none of them
   * looks at tokens.
   */
  readonly alternatives: number | undefined
}
