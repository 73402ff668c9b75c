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
} from '../core/language-model.ts'
import type { Message, Sampling } from '../core/task.ts'
import type { Tool } from '../core/tools.ts'
import { openCheckpoint } from '../inference/checkpoint/checkpoint.ts'
import type { ModelConfig } from '../inference/checkpoint/model-config.ts'
import { badModelFile } from '../inference/checkpoint/tensor-source.ts'
import { Engine, type EngineOptions } from '../inference/engine.ts'
import type { GenerateWork, SamplingParameters } from '../inference/protocol.ts'
import { joinTexts, readChatTemplate } from '../inference/text/chat-template.ts'
import { readTokenizer } from '../inference/text/tokenizer.ts'
import { PromptEncoder } from './onnx/prompt.ts'
import { Readings, type StepReading } from './onnx/readings.ts'
import { findCallFormat, holdToCalls, spokenTokens, type CallFormat } from './onnx/call-format.ts'
import { readToolCalls } from './onnx/call-stream.ts'

export type { ChosenDevice } from '../inference/runtime/choose-device.ts'

/**
 * Texts of a model that was trained to judge steps: it reads `step` after each, and answers with the token `good` or
 * `bad` unless it has labels for that.
 */
export interface StepMarks {
  readonly step: string
  readonly good?: string
  readonly bad?: string
}

export interface OnnxModelOptions extends EngineOptions {
  readonly id: string
  readonly prompts: PromptSet
  /** Nothing when absent. */
  readonly price?: Price
  readonly stepMarks?: StepMarks
  /** Told, once, what makes the model slower or less exact than it could be. */
  readonly onWarning?: (message: string) => void
}

interface Parts {
  readonly config: ModelConfig
  readonly encoder: PromptEncoder
  readonly steps: StepReading | undefined
  /** How the model calls tools; undefined when its template knows nothing of them. */
  readonly calls: CallFormat | undefined
  /** The model is an ONNX export, run as it is. */
  readonly exported: boolean
}

const GENERIC = {
  code: 'generic_graph',
  message:
    'This model is an ONNX export, which copies its whole cache at every token and attends to a shared prompt once per sample: safetensors or GGUF files of it run several times faster.',
} as const

/** Below this the division by the temperature leaves the range of float32; the result is the likeliest token anyway. */
const LOWEST_TEMPERATURE = 1e-4

const capabilitiesOf = ({ config: { head }, steps, calls, exported }: Parts): CapabilityRecord => {
  const writes = head.type === 'tokens' ? 'native' : 'none'
  return {
    parallel_samples: writes,
    assistant_continuation: writes,
    stop_kept: writes,
    log_probabilities: writes,
    text_scoring: writes,
    step_scores: steps === undefined ? 'none' : 'native',
    outcome_scores: head.type === 'labels' && head.of === 'sequence' ? 'native' : 'none',
    embeddings: exported ? 'none' : 'native',
    constrained_output: writes,
    seed: writes,
    images: 'none',
    tools: calls === undefined ? 'none' : writes,
  }
}

class OnnxModel implements LanguageModel {
  readonly id: string
  readonly prompts: PromptSet
  readonly price: Price
  readonly capabilities: CapabilityRecord
  readonly contextLength: number
  readonly #engine: Engine
  readonly #config: ModelConfig
  readonly #encoder: PromptEncoder
  readonly #calls: CallFormat | undefined
  readonly #exported: boolean
  readonly scoreText?: NonNullable<LanguageModel['scoreText']>
  readonly scoreSteps?: NonNullable<LanguageModel['scoreSteps']>
  readonly scoreOutcome?: NonNullable<LanguageModel['scoreOutcome']>
  readonly embed?: NonNullable<LanguageModel['embed']>

  constructor(options: OnnxModelOptions, parts: Parts) {
    this.id = options.id
    this.prompts = options.prompts
    this.price = options.price ?? { input: 0, output: 0 }
    this.contextLength = parts.config.decoder.contextLength
    this.capabilities = capabilitiesOf(parts)
    const spoken = parts.calls && spokenTokens(parts.calls)
    this.#engine = new Engine({ ...options, ...(spoken && { spokenTokens: spoken }) })
    this.#config = parts.config
    this.#encoder = parts.encoder
    this.#calls = parts.calls
    this.#exported = parts.exported
    const readings = new Readings(this.#engine, parts.encoder)
    const { head } = parts.config
    const { steps } = parts
    if (!parts.exported) this.embed = (request, call) => readings.embed(request, call)
    if (head.type === 'tokens')
      this.scoreText = (request, call) => readings.scoreText(request, call)
    if (steps !== undefined)
      this.scoreSteps = (request, call) => readings.scoreSteps(steps, request, call)
    if (head.type === 'labels' && head.of === 'sequence')
      this.scoreOutcome = (request, call) => readings.scoreOutcome(head.labels, request, call)
  }

  countTokens(messages: readonly Message[], tools?: readonly Tool[]): number {
    return this.#encoder.count(messages, tools)
  }

  prepareCount(messages: readonly Message[], tools?: readonly Tool[]): Promise<void> {
    return this.#encoder.prepare(messages, tools)
  }

  async *generate(
    request: GenerationRequest,
    { signal, priority = 'interactive' }: CallOptions,
  ): AsyncGenerator<GenerationChunk, void, void> {
    if (this.#config.head.type !== 'tokens')
      throw new RefineError(
        'unsupported_capability',
        `${this.id} scores or embeds texts; it cannot write any.`,
        { param: 'model' },
      )
    const { toolChoice: choice = 'auto', parallelToolCalls: parallel = true } = request
    const tools = choice === 'none' ? undefined : request.tools
    const format = tools && this.#callFormat()
    await this.#encoder.prepare(request.messages, tools)
    const prompt = this.#encoder.prompt(request.messages, request.continueFrom, tools)
    this.#encoder.checkLength(prompt.length + 1)
    const work: GenerateWork = {
      prompt,
      samples: request.samples,
      sampling: this.#sampling(request.sampling),
      keepStop: request.keepStop ?? false,
      seed: request.seed,
      topLogProbabilities: request.topLogProbabilities,
      constraint: request.constraint,
      ...(format && holdToCalls(format, { tools: tools!, choice, parallel }, request.constraint)),
      priority,
    }
    if (this.#exported) yield { type: 'warning', ...GENERIC }
    const chunks = this.#engine.generate(work, signal)
    if (format === undefined) yield* chunks
    else {
      const names = tools!.map((tool) => tool.function.name)
      yield* readToolCalls(chunks, format, names)
    }
  }

  #callFormat(): CallFormat {
    if (this.#calls !== undefined) return this.#calls
    throw new RefineError(
      'unsupported_capability',
      `${this.id} cannot call tools: its chat template knows nothing of them.`,
      { param: 'tools' },
    )
  }

  async ready(): Promise<void> {
    await this.#engine.ready()
  }

  async close(): Promise<void> {
    await this.#engine.close()
  }

  #sampling(wishes: Sampling): SamplingParameters {
    const defaults = this.#config.sampling
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

/** Steps end in a line break where nothing else is said. */
const SEPARATOR = '\n'

const stepReading = (
  folder: string,
  { head }: ModelConfig,
  encoder: PromptEncoder,
  marks: StepMarks | undefined,
): StepReading | undefined => {
  if (head.type === 'labels' && head.of === 'tokens')
    return { type: 'labels', separator: marks?.step ?? SEPARATOR, labels: head.labels }
  if (head.type !== 'tokens' || marks === undefined) return undefined
  const idOf = (mark: keyof StepMarks): number => {
    const token = marks[mark]
    const id = token === undefined ? undefined : encoder.tokenId(token)
    if (id === undefined)
      throw badModelFile(folder, `the tokenizer has no step mark ${token ?? `"${mark}"`}`)
    return id
  }
  return { type: 'marks', step: idOf('step'), good: idOf('good'), bad: idOf('bad') }
}

/**
 * Opens a checkpoint: its small files are read and checked now, its weights by `ready` or the first call. The caller
 * closes the model.
 * @throws RefineError model_failed naming the file that is wrong.
 */
export const createOnnxModel = (options: OnnxModelOptions): LanguageModel => {
  const { id, folder, stepMarks, weights = 'auto', onWarning } = options
  const checkpoint = openCheckpoint(folder)
  const config = checkpoint.config()
  const template = config.head.type === 'none' ? joinTexts : readChatTemplate(checkpoint)
  const calls = findCallFormat(template)
  const encoder = new PromptEncoder(
    id,
    config.decoder.contextLength,
    readTokenizer(checkpoint),
    template,
    calls,
  )
  const exported = checkpoint.exported(weights) !== undefined
  if (exported && config.head.type !== 'tokens')
    throw badModelFile(folder, 'only models that write run as ONNX exports: expected safetensors')
  if (exported) onWarning?.(`${id}: ${GENERIC.message}`)
  const steps = stepReading(folder, config, encoder, stepMarks)
  return new OnnxModel(options, { config, encoder, steps, calls, exported })
}
