/** The port to a language model. Adapters live in `models`; strategies and scorers see only this. */
import type { FinishReason } from './event.ts'
import type { RefineError } from './errors.ts'
import type { Message, Sampling } from './task.ts'
import type { TraceContext } from './trace.ts'
import type { Tool, ToolCall, ToolChoice } from './tools.ts'

export const CAPABILITIES = [
  'parallel_samples', // several samples of one prompt that share its cost
  'assistant_continuation', // go on with a partly written assistant message
  'stop_kept', // the matched stop string can be kept in the text
  'log_probabilities', // of the tokens generated, with alternatives
  'text_scoring', // log-probability of a given text
  'step_scores', // probability that each step of a solution is right
  'outcome_scores', // how good a whole answer is, by a head trained for it
  'embeddings', // a vector for a text
  'constrained_output',
  'seed', // the same seed gives the same text
  'images', // in messages of the user
  'tools', // told of tools, it may call them
] as const
export type Capability = (typeof CAPABILITIES)[number]

/** `emulated`: the adapter finds a way that costs more or is less exact, and says so by a warning chunk. */
export type Support = 'native' | 'emulated' | 'none'
export type CapabilityRecord = Readonly<Record<Capability, Support>>

/** Which wording of the role prompts a model was made for. */
export type PromptSet = 'full' | 'compact'

/** Money per million tokens, in whatever currency the operator counts. */
export interface Price {
  readonly input: number
  readonly output: number
}

/** What a sample's text must match as a whole; it needs `constrained_output`. */
export type Constraint =
  /** JSON that the schema (a JSON Schema object) accepts; `{}` is any JSON object. */
  | { readonly type: 'json_schema'; readonly schema: Readonly<Record<string, unknown>> }
  /** A regular expression in ECMAScript's syntax, without look-around and back-references. */
  | { readonly type: 'regex'; readonly pattern: string }
  | { readonly type: 'choice'; readonly choices: readonly string[] }

export interface GenerationRequest {
  readonly messages: readonly Message[]
  /** Independent samples of the same prompt, at least 1. */
  readonly samples: number
  /** Absent fields fall to the model's own defaults; `stop` strings end a sample and are dropped from its text. */
  readonly sampling: Sampling
  /** Keeps a matched stop string in the text. */
  readonly keepStop?: boolean
  /** Sample k draws from a stream derived from (seed, k). */
  readonly seed: number
  /** A partly written assistant message to go on with; it is not repeated in the text. */
  readonly continueFrom?: string
  readonly constraint?: Constraint
  /** What the samples may call; at least one where present. It needs `tools`. */
  readonly tools?: readonly Tool[]
  readonly toolChoice?: ToolChoice
  readonly parallelToolCalls?: boolean
  /** Number of alternatives to report per token, 0 to 20; absent: no log-probabilities at all. */
  readonly topLogProbabilities?: number
}

export interface TokenLogProbability {
  readonly text: string
  /** Natural logarithm, of the model's own distribution before temperature and truncation where it can be had. */
  readonly logProbability: number
  readonly alternatives: readonly { readonly text: string; readonly logProbability: number }[]
}

/**
 * A stream of chunks. Every sample ends with exactly one `finish` or `failure`; `usage` comes once, at any time after
 * the prompt was read; one of 0 before an exception says that it was not. Text is never cut inside a surrogate pair or a UTF-8 sequence.
 */
export type GenerationChunk =
  | {
      readonly type: 'delta'
      readonly sample: number
      readonly text: string
      readonly tokens?: readonly TokenLogProbability[]
    }
  /** One whole call, before the sample's end; ids are unique within the sample. */
  | { readonly type: 'tool_call'; readonly sample: number; readonly call: ToolCall }
  | {
      readonly type: 'finish'
      readonly sample: number
      readonly reason: { readonly unified: FinishReason; readonly raw: string }
      /** Which of the `stop` strings ended it; absent where none did, or the model does not say. */
      readonly stopString?: string
      readonly outputTokens: number
      /** Sum over the sample's tokens, when log-probabilities were asked for. */
      readonly logProbability?: number
    }
  | { readonly type: 'failure'; readonly sample: number; readonly error: RefineError }
  | { readonly type: 'usage'; readonly inputTokens: number; readonly cachedTokens: number }
  | { readonly type: 'warning'; readonly code: string; readonly message: string }

export interface ScoringResult {
  /** Natural logarithm, summed over the tokens of the text. */
  readonly logProbability: number
  readonly tokens: number
  readonly inputTokens: number
  readonly cachedTokens: number
}

export interface StepScores {
  /** Probability that the step is right, given what precedes it: one number in [0, 1] per step. */
  readonly steps: readonly number[]
  readonly inputTokens: number
  readonly cachedTokens: number
}

export interface OutcomeScore {
  /** How good the answer is, in [0, 1]: a reward through a sigmoid, or the probability of the last label. */
  readonly score: number
  readonly inputTokens: number
  readonly cachedTokens: number
}

export interface Embeddings {
  /** One per text, of length 1; empty for a text without tokens. */
  readonly vectors: readonly Float32Array[]
  readonly inputTokens: number
  readonly cachedTokens: number
}

/** Calls that somebody waits for go before those that nobody watches. */
export type CallPriority = 'interactive' | 'background'

export interface CallOptions {
  /** Ends the work of this call, and only this one, at once; the iteration then throws the signal's reason. */
  readonly signal: AbortSignal
  /** `interactive` when absent. */
  readonly priority?: CallPriority
  /** The trace that the call is part of, for models that call others. */
  readonly trace?: TraceContext | undefined
}

export interface LanguageModel {
  readonly id: string
  readonly capabilities: CapabilityRecord
  readonly prompts: PromptSet
  /** Tokens that prompt and answer may take together; undefined when nobody knows. */
  readonly contextLength: number | undefined
  readonly price: Price

  /** Present where `countTokens` has no tokenizer to ask. */
  readonly estimatesTokens?: true

  /** Tokens of the prompt: exact for an embedded model, an overestimate (bytes / 3) for others. */
  countTokens(messages: readonly Message[], tools?: readonly Tool[]): number

  /**
   * Counts the tokens of a long prompt with pauses for other work; `countTokens` has them at hand afterwards. Present where
   * counting takes long.
   */
  prepareCount?(messages: readonly Message[], tools?: readonly Tool[]): Promise<void>

  /** @throws RefineError as `core/errors.ts`; a failure of one sample is a chunk, not an exception. */
  generate(request: GenerationRequest, options: CallOptions): AsyncIterable<GenerationChunk>

  /** How likely the model finds `text` as the answer. Present when `text_scoring` is not `none`. */
  scoreText?(
    request: { readonly messages: readonly Message[]; readonly text: string },
    options: CallOptions,
  ): Promise<ScoringResult>

  /** Judges each step in one pass. Present when `step_scores` is `native`. */
  scoreSteps?(
    request: { readonly messages: readonly Message[]; readonly steps: readonly string[] },
    options: CallOptions,
  ): Promise<StepScores>

  /** Judges a whole answer in one pass. Present when `outcome_scores` is `native`. */
  scoreOutcome?(
    request: { readonly messages: readonly Message[]; readonly text: string },
    options: CallOptions,
  ): Promise<OutcomeScore>

  /** Vectors of texts, close to each other where the texts are alike. Present when `embeddings` is `native`. */
  embed?(request: { readonly texts: readonly string[] }, options: CallOptions): Promise<Embeddings>

  /** Ready to answer: weights loaded, upstream reachable. @throws RefineError saying what is missing. */
  ready(): Promise<void>

  close(): Promise<void>
}
