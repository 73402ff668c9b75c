/** Entries of `models` in the configuration file. Wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import { DEVICES } from '../core/device.ts'
import { invalidField } from '../core/errors.ts'
import { CAPABILITIES, type Capability } from '../core/language-model.ts'
import { validate } from '../core/validation.ts'
import { FLAVOURS } from './openai-compatible/flavour.ts'

const Id = Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\s:]+$' })
const Text = Type.String({ minLength: 1 })
const Probability = Type.Number({ minimum: 0, maximum: 1 })
const Milliseconds = Type.Number({ minimum: 1, maximum: 86_400_000 })
const PositiveInteger = Type.Integer({ minimum: 1, maximum: 2_147_483_647 })
const Money = Type.Number({ minimum: 0, description: 'Per million tokens.' })
const Prompts = Type.Enum(['full', 'compact'])

const SupportLevel = Type.Optional(Type.Enum(['native', 'emulated', 'none']))
const Capabilities = Type.Object(
  Object.fromEntries(CAPABILITIES.map((name) => [name, SupportLevel])) as Record<
    Capability,
    typeof SupportLevel
  >,
  {
    additionalProperties: false,
    description: 'What the model can do other than its adapter says.',
  },
)

const common = {
  id: Id,
  price: Type.Optional(
    Type.Object({ input: Money, output: Money }, { additionalProperties: false }),
  ),
}

export const OnnxConfig = Type.Object(
  {
    ...common,
    adapter: Type.Enum(['onnx']),
    folder: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Folder of the model in Hugging Face layout, or a GGUF file.',
      }),
    ),
    model: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'In place of `folder`: the id of an installed model, as `whetstone pull` takes it.',
      }),
    ),
    device: Type.Optional(
      Type.Enum([...DEVICES], {
        description:
          'What computes. auto takes a GPU where one works, else the processor, and logs why.',
      }),
    ),
    prompts: Type.Optional(Prompts),
    step_marks: Type.Optional(
      Type.Object(
        { step: Text, good: Type.Optional(Text), bad: Type.Optional(Text) },
        {
          additionalProperties: false,
          description:
            'For models that judge steps: the text after each step, and the tokens of the verdict unless the model has labels for it.',
        },
      ),
    ),
    threads: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024 })),
    weights: Type.Optional(
      Type.Enum(['auto', 'fp32', 'fp16', 'int8', 'int4'], {
        description:
          'How the weights are held; auto, the default, takes int8 for models of 50 million weights or more, else fp32. int8 and int4 are smaller and faster, and less exact. An ONNX export is chosen by it.',
      }),
    ),
    max_rows: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1024, description: 'Samples decoded at the same time.' }),
    ),
    cache_bytes: Type.Optional(
      Type.Integer({
        minimum: 1_048_576,
        description: 'Memory for the caches of running samples.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type OnnxConfig = Static<typeof OnnxConfig>

export const OpenAICompatibleConfig = Type.Object(
  {
    ...common,
    adapter: Type.Enum(['openai-compatible']),
    base_url: Type.String({ pattern: '^https?://', description: 'Up to and including /v1.' }),
    upstream_model: Type.Optional(
      Type.String({ minLength: 1, description: 'Name at the upstream. Default: the id.' }),
    ),
    api_key_env: Type.Optional(
      Type.String({ minLength: 1, description: 'Environment variable that holds the key.' }),
    ),
    context_length: Type.Optional(PositiveInteger),
    prompts: Type.Optional(Prompts),
    flavour: Type.Optional(Type.Enum([...FLAVOURS])),
    max_tokens_field: Type.Optional(Type.Enum(['max_tokens', 'max_completion_tokens'])),
    capabilities: Type.Optional(Capabilities),
    timeouts: Type.Optional(
      Type.Object(
        {
          connect_ms: Type.Optional(Milliseconds),
          first_byte_ms: Type.Optional(Milliseconds),
          between_bytes_ms: Type.Optional(Milliseconds),
        },
        { additionalProperties: false },
      ),
    ),
    retries: Type.Optional(
      Type.Object(
        {
          limit: Type.Optional(Type.Integer({ minimum: 0, maximum: 20 })),
          base_ms: Type.Optional(Milliseconds),
          max_ms: Type.Optional(Milliseconds),
        },
        { additionalProperties: false },
      ),
    ),
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { additionalProperties: false },
)
export type OpenAICompatibleConfig = Static<typeof OpenAICompatibleConfig>

export const ScriptedConfig = Type.Object(
  {
    ...common,
    adapter: Type.Enum(['scripted']),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 })),
    accuracy: Type.Optional(Probability),
    keep_right: Type.Optional(Probability),
    repair_wrong: Type.Optional(Probability),
    judge_reliability: Type.Optional(Probability),
    reviewer_accuracy: Type.Optional(Probability),
    malformed_judge: Type.Optional(Probability),
    wrong_answers: Type.Optional(PositiveInteger),
    tokens_per_answer: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    tokens_per_second: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1000 })),
    first_token_ms: Type.Optional(Type.Number({ minimum: 0, maximum: 3_600_000 })),
    fail_every: Type.Optional(PositiveInteger),
    fail_after_tokens: Type.Optional(Type.Integer({ minimum: 0 })),
    fail_marker: Type.Optional(Text),
    context_length: Type.Optional(PositiveInteger),
    capabilities: Type.Optional(Capabilities),
  },
  { additionalProperties: false },
)
export type ScriptedConfig = Static<typeof ScriptedConfig>

/** One entry of `models`. `readModelConfig` checks one with better messages than a union can give. */
export type ModelConfig = OnnxConfig | OpenAICompatibleConfig | ScriptedConfig
export const ModelConfig = Type.Union([OnnxConfig, OpenAICompatibleConfig, ScriptedConfig])

const SCHEMAS = {
  onnx: OnnxConfig,
  'openai-compatible': OpenAICompatibleConfig,
  scripted: ScriptedConfig,
} as const

/**
 * Checks one entry of `models` by the schema of its adapter.
 * @throws RefineError invalid_request, naming each field below `pointer`, such as `/models/0`.
 */
export const readModelConfig = (value: unknown, pointer = ''): ModelConfig => {
  const adapter = (value as { adapter?: unknown } | null | undefined)?.adapter
  if (typeof adapter !== 'string' || !Object.hasOwn(SCHEMAS, adapter)) {
    const names = Object.keys(SCHEMAS).map((name) => `"${name}"`)
    throw invalidField(`${pointer}/adapter`, `must be one of ${names.join(', ')}`)
  }
  const config: ModelConfig = validate(SCHEMAS[adapter as keyof typeof SCHEMAS], value, pointer)
  if (config.adapter === 'onnx' && (config.folder === undefined) === (config.model === undefined))
    throw invalidField(`${pointer}/folder`, 'exactly one of folder and model is needed')
  return config
}
