/** The strategy contract (`ARCHITECTURE.md`); one conformance suite holds every strategy to it. */
import type { Static, TObject } from 'typebox'
import type { BudgetUnit } from './budget.ts'
import type { DeltaEvent, StopReason, StrategyEvent } from './event.ts'
import type { Capability, LanguageModel } from './language-model.ts'
import type { PromptForm, RolePrompts } from './prompts.ts'
import type { Random } from './random.ts'
import type { Sandbox } from './sandbox.ts'
import type { ScorerName, Scorers } from './scorer.ts'
import type { SteeringView } from './steering.ts'
import type { Role, Task, TaskPart } from './task.ts'

/** Where the signal that improves the answer comes from. */
export type Feedback = 'none' | 'self' | 'model' | 'reward' | 'execution' | 'vote'

/** The candidate a strategy returns, and why it stopped. */
export interface Selection {
  readonly candidate: number
  readonly stopReason: StopReason
}

/** What is known of a task before it runs, in tokens of the generator. */
export interface TaskSize {
  readonly promptTokens: number
  /** Longest answer. */
  readonly maxTokens: number
  /** Whether the prompts of the reviewer take second looks. */
  readonly looksTwice?: boolean
}

/** An upper bound of what one role may take. */
export interface RoleCost {
  readonly role: Role
  readonly calls: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Id of a model that `Needs` names, when it is not the role's own. */
  readonly model?: string
}

/** What the options of a run ask for beyond `requires`; checked before the run starts. */
export interface Needs {
  readonly scorers?: readonly ScorerName[]
  /** Of the generator, natively or emulated. */
  readonly capabilities?: readonly Capability[]
  readonly prompts?: readonly { readonly role: Role; readonly form: PromptForm }[]
  /** Whether programs of candidates are run. */
  readonly sandbox?: boolean
  /** What cannot pass through with these options: a task that has it is refused. All passes if absent. */
  readonly loses?: readonly TaskPart[]
  /** Ids of models beside those of the roles, and the option that names each. */
  readonly models?: readonly { readonly id: string; readonly pointer: string }[]
}

/** A model that the options name by its id, with the prompts that fit it. */
export interface NamedModel {
  readonly model: LanguageModel
  readonly prompts: RolePrompts
}

export interface Log {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** All that is not pure. The models spend the run's budget before each call; `BudgetSpent` must pass through. */
export interface StrategyContext {
  readonly models: Readonly<Record<Role, LanguageModel>>
  /** The prompts that fit the role's model. */
  readonly prompts: Readonly<Record<Role, RolePrompts>>
  readonly scorers: Scorers
  /** Where programs of candidates run; absent where there is no such place. */
  readonly sandbox?: Sandbox
  /** A model that `needs` named; its calls count for the generator. @throws RefineError unknown_model */
  model(id: string): NamedModel
  readonly budget: { remaining(unit: BudgetUnit): number }
  readonly random: Random
  /** What those who watch have asked for; may be looked at whenever something new begins. */
  readonly steering: SteeringView
  readonly signal: AbortSignal
  /**
   * Tells a delta at once, where yielding it would pass it through every generator around. What the strategy yielded
   * before was told by then. Gives something to wait for where the run is held back.
   */
  tell(delta: DeltaEvent): Promise<void> | undefined
  readonly log: Log
}

export interface Strategy<Options extends TObject = TObject> {
  /** Lower case with hyphens, as in the literature. */
  readonly name: string
  readonly description: string
  /** Paper and section, or `baseline`. */
  readonly source: string
  /** Every option has a default: `{}` is always valid. */
  readonly options: Options
  readonly feedback: Feedback
  /** What the generator must offer, natively or emulated. */
  readonly requires: readonly Capability[]
  /** @throws RefineError invalid_request when options contradict one another. */
  needs?(options: Static<Options>): Needs
  /** Closed-form upper bound, before the run starts. */
  worstCase(size: TaskSize, options: Static<Options>): RoleCost[]
  /**
   * Passes the signal to every await, cleans up in `finally`, never reads the clock or `Math.random`, and never yields
   * a terminal event. Candidates are numbered from 0 in order of creation and immutable once completed; the first
   * completed one becomes the incumbent by `answer.revised`. Only a better one replaces it: by the same scorer, by a
   * comparison in both orders, by the weight of its answer in a vote, by the choice of a selector that saw all, or
   * because it is what the method exists to make: the synthesis of them, or the end of a chain of samples.
   */
  run(
    task: Task,
    options: Static<Options>,
    context: StrategyContext,
  ): AsyncGenerator<StrategyEvent, Selection, void>
}

/** Keeps the type of the options while the strategy is written; lists hold the widened type. */
export const defineStrategy = <Options extends TObject>(strategy: Strategy<Options>): Strategy =>
  strategy as unknown as Strategy
