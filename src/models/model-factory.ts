/** Makes the models that the configuration describes. */
import type { Device } from '../core/device.ts'
import { RefineError } from '../core/errors.ts'
import type { LanguageModel } from '../core/language-model.ts'
import type {
  ModelConfig,
  OnnxConfig,
  OpenAICompatibleConfig,
  ScriptedConfig,
} from './model-config.ts'
import type { ChosenDevice, OnnxModelOptions } from './onnx.ts'
import { createOpenAICompatibleModel } from './openai-compatible.ts'
import type { ModelSource } from './registry.ts'
import { createScriptedModel } from './scripted.ts'

export interface ModelParts {
  /** Value of an environment variable, undefined when it is not set. */
  readonly readSecret: (name: string) => string | undefined
  readonly onnx: (options: OnnxModelOptions) => LanguageModel
  /** Folder of an installed model. @throws RefineError unknown_model with the command that installs it. */
  readonly installedFolder: (id: string) => string
  /** Of models that name none; `auto` when absent. */
  readonly device?: Device
  readonly onLoaded?: (id: string, device: ChosenDevice) => void
}

type Defined<Fields> = { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> }

/** The fields that are there: an absent one falls to the default of what it is given to. */
const present = <Fields extends object>(fields: Fields): Defined<Fields> =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Defined<Fields>

const apiKey = (config: OpenAICompatibleConfig, readSecret: ModelParts['readSecret']) => {
  const name = config.api_key_env
  if (name === undefined) return undefined
  const key = readSecret(name)
  if (key !== undefined && key !== '') return key
  throw new RefineError(
    'invalid_request',
    `Model "${config.id}": the environment variable ${name}, named by api_key_env, is not set.`,
    { param: 'api_key_env' },
  )
}

const openAICompatible = (
  config: OpenAICompatibleConfig,
  readSecret: ModelParts['readSecret'],
): LanguageModel => {
  const { id, timeouts = {}, retries = {} } = config
  return createOpenAICompatibleModel({
    id,
    baseUrl: config.base_url,
    upstreamModel: config.upstream_model ?? id,
    timeouts: present({
      connectMs: timeouts.connect_ms,
      firstByteMs: timeouts.first_byte_ms,
      betweenBytesMs: timeouts.between_bytes_ms,
    }),
    retries: present({ limit: retries.limit, baseMs: retries.base_ms, maxMs: retries.max_ms }),
    ...present({
      apiKey: apiKey(config, readSecret),
      price: config.price,
      contextLength: config.context_length,
      prompts: config.prompts,
      capabilities: config.capabilities,
      flavour: config.flavour,
      maxTokensField: config.max_tokens_field,
      headers: config.headers,
    }),
  })
}

const scripted = (config: ScriptedConfig): LanguageModel =>
  createScriptedModel({
    id: config.id,
    ...present({
      price: config.price,
      contextLength: config.context_length,
      capabilities: config.capabilities,
      seed: config.seed,
      accuracy: config.accuracy,
      keepRight: config.keep_right,
      repairWrong: config.repair_wrong,
      judgeReliability: config.judge_reliability,
      reviewerAccuracy: config.reviewer_accuracy,
      malformedJudge: config.malformed_judge,
      wrongAnswers: config.wrong_answers,
      tokensPerAnswer: config.tokens_per_answer,
      tokensPerSecond: config.tokens_per_second,
      firstTokenMs: config.first_token_ms,
      failEvery: config.fail_every,
      failAfterTokens: config.fail_after_tokens,
      failMarker: config.fail_marker,
    }),
  })

const embedded = (config: OnnxConfig, parts: ModelParts): LanguageModel => {
  const { id, prompts = 'full', price, step_marks: stepMarks, threads, weights } = config
  const { max_rows: maxRows, cache_bytes: cacheBytes, device = parts.device } = config
  const folder = config.folder ?? parts.installedFolder(config.model ?? id)
  const { onLoaded: tell } = parts
  const onLoaded = tell && ((chosen: ChosenDevice) => tell(id, chosen))
  return parts.onnx({
    id,
    folder,
    prompts,
    ...present({ price, stepMarks, threads, device, onLoaded, weights, maxRows, cacheBytes }),
  })
}

/** @throws RefineError naming the model and what is wrong: a key that is not set, a URL or capability that cannot be. */
export const createModel = (config: ModelConfig, parts: ModelParts): LanguageModel => {
  switch (config.adapter) {
    case 'onnx':
      return embedded(config, parts)
    case 'openai-compatible':
      return openAICompatible(config, parts.readSecret)
    case 'scripted':
      return scripted(config)
  }
}

/** The entry as the registry takes it; nothing is made yet. */
export const modelSource = (config: ModelConfig, parts: ModelParts): ModelSource => ({
  id: config.id,
  adapter: config.adapter,
  create: () => createModel(config, parts),
})
