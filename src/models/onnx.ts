/** The embedded engine as a language model: templates, tokens and defaults on this side, numbers on the other. */
import { RefineError } from '../core/errors.ts'
import type {
  CallOptions,
  CapabilityRecord,
  GenerationChunk,
  GenerationRequest,
  LanguageModel,
  Price,
  PromptSet,
  ScoringResult,
  StepScores,
} from '../core/language-model.ts'
import type { Message, Sampling } from '../core/task.ts'
import { openCheckpoint } from '../inference/checkpoint/checkpoint.ts'
import type { ModelConfig } from '../inference/checkpoint/model-config.ts'
import { badModelFile } from '../inference/checkpoint/tensor-source.ts'
import { Engine, type EngineOptions } from '../inference/engine.ts'
import type { GenerateWork, SamplingParameters } from '../inference/protocol.ts'
import { readChatTemplate, type ChatTemplate } from '../inference/text/chat-template.ts'
import { readTokenizer, type Tokenizer } from '../inference/text/tokenizer.ts'

/** Tokens of a model that was trained to judge steps: it reads `step` after each and answers `good` or `bad`. */
export interface StepMarks {
  readonly step: string
  readonly good: string
  readonly bad: string
}

export interface OnnxModelOptions extends EngineOptions {
  readonly id: string
  readonly prompts: PromptSet
  /** Nothing when absent. */
  readonly price?: Price
  readonly stepMarks?: StepMarks
}

type StepTokens = { readonly [Mark in keyof StepMarks]: number }

interface Parts {
  readonly config: ModelConfig
  readonly tokenizer: Tokenizer
  readonly render: ChatTemplate
  readonly stepTokens: StepTokens | undefined
}

/** Below this the division by the temperature leaves the range of float32; the result is the likeliest token anyway. */
const LOWEST_TEMPERATURE = 1e-4

class OnnxModel implements LanguageModel {
  readonly id: string
  readonly prompts: PromptSet
  readonly price: Price
  readonly capabilities: CapabilityRecord
  readonly contextLength: number
  readonly #engine: Engine
  readonly #parts: Parts

  constructor(options: OnnxModelOptions, parts: Parts) {
    this.id = options.id
    this.prompts = options.prompts
    this.price = options.price ?? { input: 0, output: 0 }
    this.contextLength = parts.config.decoder.contextLength
    this.capabilities = {
      parallel_samples: 'native',
      assistant_continuation: 'native',
      stop_kept: 'native',
      log_probabilities: 'native',
      text_scoring: 'native',
      step_scores: parts.stepTokens === undefined ? 'none' : 'native',
      embeddings: 'none',
      constrained_output: 'native',
      seed: 'native',
      images: 'none',
      tools: 'none',
    }
    this.#engine = new Engine(options)
    this.#parts = parts
  }

  /** Exact, but for a text that cannot fit the context: of that only the least number of tokens is told. */
  countTokens(messages: readonly Message[]): number {
    const text = this.#parts.render(messages)
    const least = Math.ceil(text.length / this.#parts.tokenizer.longestToken)
    return least > this.contextLength ? least : this.#parts.tokenizer.encode(text).length
  }

  async *generate(
    request: GenerationRequest,
    { signal, priority = 'interactive' }: CallOptions,
  ): AsyncGenerator<GenerationChunk, void, void> {
    const prompt = this.#encode(request.messages, request.continueFrom ?? '')
    this.#checkLength(prompt.length + 1)
    const work: GenerateWork = {
      prompt,
      samples: request.samples,
      sampling: this.#sampling(request.sampling),
      keepStop: request.keepStop ?? false,
      seed: request.seed,
      topLogProbabilities: request.topLogProbabilities,
      constraint: request.constraint,
      priority,
    }
    yield* this.#engine.generate(work, signal)
  }

  async scoreText(
    request: { readonly messages: readonly Message[]; readonly text: string },
    { signal, priority = 'interactive' }: CallOptions,
  ): Promise<ScoringResult> {
    const prompt = this.#encode(request.messages, '')
    const answer = this.#tokens(request.text)
    const inputTokens = prompt.length + answer.length
    this.#checkLength(inputTokens)
    if (answer.length === 0) return { logProbability: 0, tokens: 0, inputTokens, cachedTokens: 0 }
    const work = {
      // The last token's successor is not asked for.
      tokens: Int32Array.from([...prompt, ...answer.slice(0, -1)]),
      positions: Int32Array.from(answer, (_, index) => prompt.length - 1 + index),
      targets: Int32Array.from(answer),
      columns: 1,
      priority,
    }
    const { logProbabilities, cachedTokens } = await this.#engine.score(work, signal)
    const logProbability = logProbabilities.reduce((sum, value) => sum + value, 0)
    return { logProbability, tokens: answer.length, inputTokens, cachedTokens }
  }

  async scoreSteps(
    request: { readonly messages: readonly Message[]; readonly steps: readonly string[] },
    { signal, priority = 'interactive' }: CallOptions,
  ): Promise<StepScores> {
    const marks = this.#parts.stepTokens
    if (marks === undefined)
      throw new RefineError('unsupported_capability', `${this.id} cannot score steps.`)
    const tokens = [...this.#encode(request.messages, '')]
    const positions: number[] = []
    const lineBreak = this.#tokens('\n')
    for (const step of request.steps) {
      if (positions.length > 0) tokens.push(...lineBreak)
      positions.push(tokens.push(...this.#tokens(step), marks.step) - 1)
    }
    this.#checkLength(tokens.length)
    if (positions.length === 0) return { steps: [], inputTokens: tokens.length, cachedTokens: 0 }
    const work = {
      tokens: Int32Array.from(tokens),
      positions: Int32Array.from(positions),
      targets: Int32Array.from(positions.flatMap(() => [marks.good, marks.bad])),
      columns: 2,
      priority,
    }
    const { logProbabilities, cachedTokens } = await this.#engine.score(work, signal)
    const steps = positions.map((_, step) => {
      const [good, bad] = logProbabilities.subarray(2 * step)
      return 1 / (1 + Math.exp(bad! - good!))
    })
    return { steps, inputTokens: tokens.length, cachedTokens }
  }

  async ready(): Promise<void> {
    await this.#engine.ready()
  }

  async close(): Promise<void> {
    await this.#engine.close()
  }

  /** What follows the prompt is encoded apart, as generated tokens would follow it. */
  #encode(messages: readonly Message[], answer: string): Int32Array {
    return Int32Array.from([...this.#tokens(this.#parts.render(messages)), ...this.#tokens(answer)])
  }

  /** @throws RefineError context_length_exceeded before a hopeless text is encoded. */
  #tokens(text: string): readonly number[] {
    this.#checkLength(Math.ceil(text.length / this.#parts.tokenizer.longestToken))
    return text === '' ? [] : this.#parts.tokenizer.encode(text)
  }

  #checkLength(tokens: number): void {
    if (tokens <= this.contextLength) return
    throw new RefineError(
      'context_length_exceeded',
      `${this.id} takes ${this.contextLength} tokens of prompt and answer together; at least ${tokens} are needed.`,
      { param: 'messages' },
    )
  }

  #sampling(wishes: Sampling): SamplingParameters {
    const defaults = this.#parts.config.sampling
    const temperature = wishes.temperature ?? defaults.temperature
    return {
      temperature: temperature < LOWEST_TEMPERATURE ? 0 : temperature,
      topP: wishes.top_p ?? defaults.topP,
      topK: wishes.top_k ?? defaults.topK,
      minP: wishes.min_p ?? 0,
      repetitionPenalty: wishes.repetition_penalty ?? 1,
      presencePenalty: wishes.presence_penalty ?? 0,
      frequencyPenalty: wishes.frequency_penalty ?? 0,
      maxTokens: wishes.max_tokens ?? this.contextLength,
      stop: wishes.stop ?? [],
    }
  }
}

const stepTokens = (folder: string, tokenizer: Tokenizer, marks: StepMarks): StepTokens => {
  const idOf = (token: string): number => {
    const id = tokenizer.tokenId(token)
    if (id === undefined) throw badModelFile(folder, `the tokenizer has no step mark ${token}`)
    return id
  }
  return { step: idOf(marks.step), good: idOf(marks.good), bad: idOf(marks.bad) }
}

/**
 * Opens a checkpoint: its small files are read and checked now, its weights by `ready` or the first call. The caller
 * closes the model.
 * @throws RefineError model_failed naming the file that is wrong.
 */
export const createOnnxModel = (options: OnnxModelOptions): LanguageModel => {
  const { folder, stepMarks } = options
  const checkpoint = openCheckpoint(folder)
  const tokenizer = readTokenizer(checkpoint)
  return new OnnxModel(options, {
    config: checkpoint.config(),
    tokenizer,
    render: readChatTemplate(checkpoint),
    stepTokens: stepMarks && stepTokens(folder, tokenizer, stepMarks),
  })
}
