/** The body of `/v1/chat/completions`: OpenAI's fields, and `refine` for ours. */
import { Type, type Static, type TSchema } from 'typebox'
import { Sampling } from '../../core/task.ts'
import { RunRequest } from '../../runs/run-request.ts'
import { SHOW_MODES } from './reasoning-text.ts'

const TEXT = 1_000_000

const ContentPart = Type.Object({
  type: Type.String({ description: 'Only `text` is understood.' }),
  text: Type.Optional(Type.String({ maxLength: TEXT })),
})

const Content = Type.Union([
  Type.String({ maxLength: TEXT }),
  Type.Array(ContentPart, { maxItems: 1000 }),
  Type.Null(),
])

const ChatMessage = Type.Object(
  {
    role: Type.Enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
    content: Type.Optional(Content),
    name: Type.Optional(Type.String()),
    tool_calls: Type.Optional(Type.Unknown()),
    tool_call_id: Type.Optional(Type.String()),
    // What clients send back of earlier answers; it is not read.
    function_call: Type.Optional(Type.Unknown()),
    refusal: Type.Optional(Type.Unknown()),
    annotations: Type.Optional(Type.Unknown()),
    audio: Type.Optional(Type.Unknown()),
    reasoning: Type.Optional(Type.Unknown()),
    reasoning_content: Type.Optional(Type.Unknown()),
    reasoning_details: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false, $id: 'ChatMessage' },
)
export type ChatMessage = Static<typeof ChatMessage>

const { strategy, options, models, budget, experiment } = RunRequest.properties

const Refine = Type.Object(
  {
    strategy,
    options,
    models,
    budget,
    experiment,
    show: Type.Optional(
      Type.Enum([...SHOW_MODES], {
        description:
          'How much of the work is told as reasoning: `status` says what happens, `summary` (if absent) also gives ' +
          'critiques and revisions, `full` also every draft as it is written.',
      }),
    ),
  },
  { additionalProperties: false, $id: 'Refine' },
)

export const REASONING_EFFORTS = [
  'none',
  'minimal',
  'low',
  'medium',
  'high',
  'xhigh',
  'max',
] as const

const { temperature, top_p, max_tokens } = Sampling.properties

/** Known to OpenAI and without a meaning here: taken, and named in the answer's `refine.ignored`. */
export const IGNORED_FIELDS = [
  'frequency_penalty',
  'logit_bias',
  'moderation',
  'parallel_tool_calls',
  'prediction',
  'presence_penalty',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'service_tier',
  'store',
  'top_logprobs',
  'verbosity',
] as const

const Any = Type.Optional(Type.Unknown())

const ignored = Object.fromEntries(IGNORED_FIELDS.map((name) => [name, Any])) as Record<
  (typeof IGNORED_FIELDS)[number],
  typeof Any
>

/** Fields that change what an answer must be; a value that asks for something is refused. */
const refusable = {
  tools: Any,
  tool_choice: Any,
  functions: Any,
  function_call: Any,
  response_format: Any,
  logprobs: Any,
  modalities: Any,
  audio: Any,
  web_search_options: Any,
} satisfies Record<string, TSchema>

export const ChatRequest = Type.Object(
  {
    model: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        description: 'A model, `model:strategy`, or `experiment:key`; the default model if absent.',
      }),
    ),
    messages: Type.Array(ChatMessage, { minItems: 1, maxItems: 1000 }),
    temperature,
    top_p,
    max_tokens,
    max_completion_tokens: max_tokens,
    stop: Type.Optional(
      Type.Union([
        Type.String({ minLength: 1, maxLength: 256 }),
        Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 16 }),
      ]),
    ),
    seed: Type.Optional(Type.Integer({ description: 'Taken modulo 2³¹.' })),
    n: Type.Optional(
      Type.Integer({ description: 'Only 1: further answers are what strategies are for.' }),
    ),
    stream: Type.Optional(Type.Boolean()),
    stream_options: Type.Optional(
      Type.Object(
        {
          include_usage: Type.Optional(Type.Boolean()),
          include_obfuscation: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false },
      ),
    ),
    reasoning_effort: Type.Optional(
      Type.Enum([...REASONING_EFFORTS], {
        description:
          'How hard to try. `none` and `minimal` answer once (strategy `single`) if no strategy is named; `low` allows 4 ' +
          'model calls, `medium` 16, `high` 64, `xhigh` 256, `max` any number. `refine.budget` goes before it.',
      }),
    ),
    user: Type.Optional(
      Type.String({
        maxLength: 512,
        description: 'The unit of an experiment, unless it names one.',
      }),
    ),
    safety_identifier: Type.Optional(Type.String({ maxLength: 512 })),
    metadata: RunRequest.properties.metadata,
    refine: Type.Optional(Refine),
    ...refusable,
    ...ignored,
  },
  { additionalProperties: false, $id: 'ChatCompletionRequest' },
)
export type ChatRequest = Static<typeof ChatRequest>
