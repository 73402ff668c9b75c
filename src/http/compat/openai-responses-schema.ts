/** The body of `/v1/responses`: OpenAI's fields, and `refine` for ours; and what is kept of it beside the run. */
import { Type, type Static } from 'typebox'
import { Sampling } from '../../core/task.ts'
import { RunRequest } from '../../runs/run-request.ts'
import { SHOW_MODES } from './reasoning-text.ts'
import {
  anyFields,
  EFFORT_DESCRIPTION,
  ModelName,
  REASONING_EFFORTS,
  Refine,
} from './run-choice.ts'

const TEXT = 1_000_000
const Nullable = Type.Null()

const Part = Type.Object({
  type: Type.String({
    description: '`input_text`, `input_image`, `output_text`, `text` or `refusal`.',
  }),
  text: Type.Optional(Type.String({ maxLength: TEXT })),
  image_url: Type.Optional(Type.Union([Type.String({ maxLength: 20_000_000 }), Nullable])),
  detail: Type.Optional(Type.Enum(['auto', 'low', 'high'])),
})

/** Every kind of item at once: what a kind needs is checked when it is read. Clients send back what they were sent. */
export const Item = Type.Object(
  {
    type: Type.Optional(Type.String({ description: '`message` if absent.' })),
    id: Type.Optional(Type.Union([Type.String(), Nullable])),
    role: Type.Optional(Type.Enum(['user', 'assistant', 'system', 'developer'])),
    content: Type.Optional(
      Type.Union([
        Type.String({ maxLength: TEXT }),
        Type.Array(Part, { maxItems: 1000 }),
        Nullable,
      ]),
    ),
    call_id: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    arguments: Type.Optional(Type.String({ maxLength: TEXT })),
    output: Type.Optional(Type.Unknown()),
  },
  { $id: 'ResponseInputItem' },
)
export type Item = Static<typeof Item>

export const IGNORED_FIELDS = [
  'access_programs',
  'client_metadata',
  'context_management',
  'image',
  'max_tool_calls',
  'moderation',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'service_tier',
  'truncation',
] as const

export const IGNORED_OF_REASONING = ['context', 'mode'] as const
export const IGNORED_OF_TEXT = ['verbosity'] as const

/** What may be included and can be had here. */
export const LOGPROBS = 'message.output_text.logprobs'

const REFUSABLE_FIELDS = ['conversation', 'prompt'] as const

const { temperature, top_p, max_tokens } = Sampling.properties
const { parallel_tool_calls, top_logprobs } = RunRequest.properties
const orNull = <Schema extends Parameters<typeof Type.Optional>[0]>(schema: Schema) =>
  Type.Optional(Type.Union([schema, Nullable]))

/** Functions only: what runs at the provider of a model, there is nothing here to run. */
export const FunctionTool = Type.Object({
  type: Type.String({ description: 'Only `function` is understood.' }),
  name: Type.Optional(Type.String()),
  description: orNull(Type.String()),
  parameters: orNull(Type.Record(Type.String(), Type.Unknown())),
  strict: orNull(Type.Boolean()),
})
export type FunctionTool = Static<typeof FunctionTool>

export const FunctionChoice = Type.Union([
  Type.Enum(['none', 'auto', 'required']),
  Type.Object({ type: Type.Literal('function'), name: Type.String() }),
  Type.Object(
    {
      type: Type.Literal('allowed_tools'),
      mode: Type.Enum(['auto', 'required']),
      tools: Type.Array(Type.Object({ type: Type.Literal('function'), name: Type.String() }), {
        minItems: 1,
        maxItems: 128,
      }),
    },
    { description: 'Only these of the `tools` may be called.' },
  ),
])

export const TextFormat = Type.Object({
  type: Type.Enum(['text', 'json_object', 'json_schema']),
  name: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  schema: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  strict: orNull(Type.Boolean()),
})
export type TextFormat = Static<typeof TextFormat>

const Summary = Type.Enum(['auto', 'concise', 'detailed'], {
  description: 'Without `refine.show`: `concise` shows the status, `detailed` all.',
})

export const ResponsesRequest = Type.Object(
  {
    model: Type.Optional(ModelName),
    input: Type.Union([
      Type.String({ minLength: 1, maxLength: TEXT }),
      Type.Array(Item, { minItems: 1, maxItems: 1000 }),
    ]),
    instructions: Type.Optional(
      Type.String({
        maxLength: TEXT,
        description: 'For this response only; not kept for the next.',
      }),
    ),
    previous_response_id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'The conversation so far.' }),
    ),
    background: Type.Optional(
      Type.Boolean({ description: 'The run goes on when the caller leaves.' }),
    ),
    store: Type.Optional(
      Type.Boolean({ description: 'False: the run is forgotten when the reply is out.' }),
    ),
    stream: Type.Optional(Type.Boolean()),
    stream_options: Type.Optional(
      Type.Object({ include_obfuscation: orNull(Type.Boolean()) }, { additionalProperties: false }),
    ),
    reasoning: Type.Optional(
      Type.Object({
        effort: orNull(Type.Enum([...REASONING_EFFORTS], { description: EFFORT_DESCRIPTION })),
        summary: orNull(Summary),
        generate_summary: orNull(Summary), // its name before
        ...anyFields(IGNORED_OF_REASONING),
      }),
    ),
    include: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 100,
        description: `\`${LOGPROBS}\` is understood.`,
      }),
    ),
    text: Type.Optional(
      Type.Object({ format: Type.Optional(TextFormat), ...anyFields(IGNORED_OF_TEXT) }),
    ),
    tools: Type.Optional(Type.Array(FunctionTool, { maxItems: 128 })),
    tool_choice: Type.Optional(FunctionChoice),
    parallel_tool_calls,
    top_logprobs,
    max_output_tokens: max_tokens,
    temperature,
    top_p,
    metadata: RunRequest.properties.metadata,
    user: Type.Optional(Type.String({ maxLength: 512 })),
    safety_identifier: Type.Optional(Type.String({ maxLength: 512 })),
    refine: Type.Optional(Refine),
    ...anyFields(REFUSABLE_FIELDS),
    ...anyFields(IGNORED_FIELDS),
  },
  { additionalProperties: false, $id: 'ResponsesRequest' },
)
export type ResponsesRequest = Static<typeof ResponsesRequest>

/** Under this key in a run's metadata: events alone then suffice to tell the run as a response, at any time. */
export const ECHO_KEY = 'openai.response'

export const Echo = Type.Object({
  model: Type.Optional(Type.String()),
  show: Type.Optional(Type.Enum([...SHOW_MODES])),
  /** Whether the first message of the run holds the instructions. */
  instructed: Type.Optional(Type.Boolean()),
  background: Type.Optional(Type.Boolean()),
  store: Type.Optional(Type.Boolean()),
  previous_response_id: Type.Optional(Type.String()),
  temperature: Type.Optional(Type.Number()),
  top_p: Type.Optional(Type.Number()),
  max_output_tokens: Type.Optional(Type.Integer()),
  effort: Type.Optional(Type.String()),
  summary: Type.Optional(Type.String()),
  tools: Type.Optional(Type.Array(FunctionTool)),
  tool_choice: Type.Optional(FunctionChoice),
  parallel_tool_calls: Type.Optional(Type.Boolean()),
  format: Type.Optional(TextFormat),
  top_logprobs: Type.Optional(Type.Integer()),
  ignored: Type.Optional(Type.Array(Type.String())),
})
export type Echo = Static<typeof Echo>
