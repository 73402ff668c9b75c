/** The body of `/v1/chat/completions`: OpenAI's fields, and `refine` for ours. */
import { Type, type Static } from 'typebox'
import { Sampling } from '../../core/task.ts'
import { RunRequest } from '../../runs/run-request.ts'
import {
  anyFields,
  EFFORT_DESCRIPTION,
  ModelName,
  REASONING_EFFORTS,
  Refine,
} from './run-choice.ts'

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

/** Fields that change what an answer must be; a value that asks for something is refused. */
const REFUSABLE_FIELDS = [
  'tools',
  'tool_choice',
  'functions',
  'function_call',
  'response_format',
  'logprobs',
  'modalities',
  'audio',
  'web_search_options',
] as const

export const ChatRequest = Type.Object(
  {
    model: Type.Optional(ModelName),
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
