/** Everything that crosses between the engine's thread and its worker. */
import type { Device } from '../core/device.ts'
import type { ErrorCode, FieldError } from '../core/errors.ts'
import type { CallPriority, GenerationChunk } from '../core/language-model.ts'
import type { Grammar, Opening } from './constraint/grammar.ts'
import type { WeightChoice } from './graphs/linear.ts'
import type { ChosenDevice } from './runtime/choose-device.ts'

/** Sampling with nothing left to default. */
export interface SamplingParameters {
  /** 0 takes the likeliest token. */
  readonly temperature: number
  /** In (0, 1]; 1 keeps every token. */
  readonly topP: number
  /** 0 keeps every token. */
  readonly topK: number
  /** In [0, 1]: share of the likeliest token's probability that a token must have; 0 keeps every token. */
  readonly minP: number
  /** Above 0; 1 changes nothing. */
  readonly repetitionPenalty: number
  /** 0 changes nothing, as do frequencies of 0. */
  readonly presencePenalty: number
  readonly frequencyPenalty: number
  /** At least 1; prompt and answer together never pass the context. */
  readonly maxTokens: number
  readonly stop: readonly string[]
}

export interface GenerateWork {
  /** At least one token and fewer than the context holds. */
  readonly prompt: Int32Array
  readonly samples: number
  readonly sampling: SamplingParameters
  readonly keepStop: boolean
  readonly seed: number
  /** Alternatives per token; undefined: no log-probabilities at all. */
  readonly topLogProbabilities: number | undefined
  readonly constraint?: Grammar | undefined
  /** Where there are any, samples are free until their text has one of them, and held to the constraint from it on. */
  readonly openings?: readonly Opening[] | undefined
  /** `interactive` when absent. */
  readonly priority?: CallPriority | undefined
}

/** Reads a text in one pass and tells numbers at some of its positions, or one vector for all. */
export type ScoreWork = {
  readonly tokens: Int32Array
  readonly priority?: CallPriority | undefined
} & (
  | {
      /** Natural logarithms of how likely the `targets` are, in their order. */
      readonly wanted: 'log_probabilities'
      /** Ascending; the log-probabilities at a position are of the token that follows it. */
      readonly positions: Int32Array
      /** Tokens asked about, `columns` for each position. */
      readonly targets: Int32Array
      readonly columns: number
    }
  | {
      /** Raw scores of the model's labels, `columns` for each position: all that the model has. */
      readonly wanted: 'labels'
      readonly positions: Int32Array
      readonly columns: number
    }
  /** The mean of the last hidden states over all positions. */
  | { readonly wanted: 'mean' }
)

export interface ScoreResult {
  readonly values: Float32Array
  readonly cachedTokens: number
}

/** What the worker is started with. Sizes are checked by the engine. */
export interface WorkerSettings {
  readonly folder: string
  /** Special tokens that stand for their own text, where others stand for none. */
  readonly spokenTokens: readonly string[]
  readonly threads: number
  readonly device: Device
  readonly weights: WeightChoice
  /** Samples that are decoded at the same time; more wait. */
  readonly maxRows: number
  /** Memory that the caches of running samples may come to take, in bytes. */
  readonly cacheBytes: number
  /** Memory for prompts kept for reuse, in bytes. */
  readonly promptBytes: number
  /** Prompt tokens computed between two decode steps while samples are running. */
  readonly prefillTokens: number
}

export type Command =
  | { readonly type: 'generate'; readonly id: number; readonly work: GenerateWork }
  | { readonly type: 'score'; readonly id: number; readonly work: ScoreWork }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'close' }

export type EngineEvent =
  | { readonly type: 'chunk'; readonly id: number; readonly chunk: WorkerChunk }
  | { readonly type: 'scored'; readonly id: number; readonly result: ScoreResult }
  /** The call cannot be served; the others go on. */
  | { readonly type: 'refused'; readonly id: number; readonly error: WorkerError }

/** What is left of a `RefineError` between threads. */
export interface WorkerError {
  readonly code: ErrorCode
  readonly message: string
  readonly fields: readonly FieldError[]
}

/** Chunks without errors: a class does not survive the way between threads. */
export type WorkerChunk = Exclude<GenerationChunk, { readonly type: 'failure' }>

export type Notice =
  | { readonly type: 'ready' }
  /** What the model is going to compute on; comes before `ready`. */
  | { readonly type: 'device'; readonly chosen: ChosenDevice }
  | { readonly type: 'events'; readonly events: readonly EngineEvent[] }
  /** The worker cannot go on and is about to end. */
  | { readonly type: 'broken'; readonly code: ErrorCode; readonly message: string }
