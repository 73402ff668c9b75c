/** The body of `/v1/chat/completions`: OpenAI's fields, and `refine` for ours. */
import { Type, type Static } from 'typebox'
import { ContentPart } from '../../core/conversation.ts'
import { Sampling } from '../../core/task.ts'
import { ToolCall, ToolChoice } from '../../core/tools.ts'
import { RunRequest } from '../../runs/run-request.ts'
import {
  anyFields,
  EFFORT_DESCRIPTION,
  ModelName,
  REASONING_EFFORTS,
  Refine,
} from './run-choice.ts'

const TEXT = 1_000_000

const ChatPart = Type.Object({
  type: Type.String({ description: '`text` and `image_url` are understood.' }),
  text: Type.Optional(Type.String({ maxLength: TEXT })),
  image_url: ContentPart.properties.image_url,
})

const Content = Type.Union([
  Type.String({ maxLength: TEXT }),
  Type.Array(ChatPart, { maxItems: 1000 }),
  Type.Null(),
])

/** With what OpenAI's helpers add to calls and messages that they put together, and send back: it is not read. */
const ChatToolCall = Type.Object(
  {
    ...ToolCall.properties,
    function: Type.Object(
      {
        ...ToolCall.properties.function.properties,
        parsed_arguments: Type.Optional(Type.Unknown()),
      },
      { additionalProperties: false },
    ),
    index: Type.Optional(Type.Integer()),
  },
  { additionalProperties: false },
)

const ChatMessage = Type.Object(
  {
    role: Type.Enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
    content: Type.Optional(Content),
    name: Type.Optional(Type.String()),
    tool_calls: Type.Optional(Type.Array(ChatToolCall, { maxItems: 128 })),
    tool_call_id: Type.Optional(Type.String()),
    // What clients send back of earlier answers; it is not read.
    function_call: Type.Optional(Type.Unknown()),
    refusal: Type.Optional(Type.Unknown()),
    annotations: Type.Optional(Type.Unknown()),
    audio: Type.Optional(Type.Unknown()),
    parsed: Type.Optional(Type.Unknown()),
    reasoning: Type.Optional(Type.Unknown()),
    reasoning_content: Type.Optional(Type.Unknown()),
    reasoning_details: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false, $id: 'ChatMessage' },
)
export type ChatMessage = Static<typeof ChatMessage>

const { max_tokens } = Sampling.properties
/** OpenAI's, and those that vLLM, SGLang and llama.cpp take beside them. */
const { temperature, top_p, frequency_penalty, presence_penalty } = Sampling.properties
const { top_k, min_p, repetition_penalty } = Sampling.properties
export const SAMPLING_FIELDS = {
  temperature,
  top_p,
  frequency_penalty,
  presence_penalty,
  top_k,
  min_p,
  repetition_penalty,
} as const
const { tools, parallel_tool_calls, response_format, top_logprobs } = RunRequest.properties

const AllowedTools = Type.Object(
  {
    type: Type.Literal('allowed_tools'),
    allowed_tools: Type.Object({
      mode: Type.Enum(['auto', 'required']),
      tools: Type.Array(
        Type.Object({
          type: Type.Literal('function'),
          function: Type.Object({ name: Type.String() }),
        }),
        { minItems: 1, maxItems: 128 },
      ),
    }),
  },
  { description: 'Only these of the `tools` may be called.' },
)

/** Each choice is a run of its own. */
export const MAX_CHOICES = 16

/** Known to OpenAI and without a meaning here: taken, and named in the answer's `refine.ignored`. */
export const IGNORED_FIELDS = [
  'logit_bias',
  'moderation',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'service_tier',
  'store',
  'verbosity',
] as const

/** Fields that change what an answer must be; a value that asks for something is refused. */
const REFUSABLE_FIELDS = [
  'functions',
  'function_call',
  'modalities',
  'audio',
  'web_search_options',
] as const

export const ChatRequest = Type.Object(
  {
    model: Type.Optional(ModelName),
    messages: Type.Array(ChatMessage, { minItems: 1, maxItems: 1000 }),
    ...SAMPLING_FIELDS,
    max_tokens,
    max_completion_tokens: max_tokens,
    tools,
    tool_choice: Type.Optional(Type.Union([ToolChoice, AllowedTools])),
    parallel_tool_calls,
    response_format,
    logprobs: Type.Optional(
      Type.Boolean({
        description:
          'Log-probabilities of the tokens of the answer; null for one that was not written in one go.',
      }),
    ),
    top_logprobs,
    stop: Type.Optional(
      Type.Union([
        Type.String({ minLength: 1, maxLength: 256 }),
        Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 16 }),
      ]),
    ),
    seed: Type.Optional(Type.Integer({ description: 'Taken modulo 2³¹.' })),
    n: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_CHOICES,
        description:
          'Choices, 1 if absent. Each is a run of its own, with its own budget and a seed that follows the first one’s; ' +
          'candidates of one run never appear as choices.',
      }),
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
      Type.Enum([...REASONING_EFFORTS], { description: EFFORT_DESCRIPTION }),
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
    ...anyFields(REFUSABLE_FIELDS),
    ...anyFields(IGNORED_FIELDS),
  },
  { additionalProperties: false, $id: 'ChatCompletionRequest' },
)
export type ChatRequest = Static<typeof ChatRequest>
