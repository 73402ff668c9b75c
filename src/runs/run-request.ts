/** Body of `POST /v1/runs` and of `run.create` on a socket: wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import { Budget } from '../core/budget.ts'
import { invalidField } from '../core/errors.ts'
import { Webhook } from './webhook.ts'
import { Message, ROLES, Sampling, type Task } from '../core/task.ts'

const Name = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 256, description }))

export const RunRequest = Type.Object(
  {
    input: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1_000_000,
        description: 'The question. Either this or `messages`.',
      }),
    ),
    messages: Type.Optional(
      Type.Array(Message, {
        minItems: 1,
        maxItems: 1000,
        description: 'The conversation; the last message is the user’s.',
      }),
    ),
    model: Name('Id of a model, as `GET /v1/models` lists it.'),
    strategy: Name('Name of a strategy, as `GET /v1/strategies` lists it.'),
    options: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'Options of the strategy; see its schema.',
      }),
    ),
    models: Type.Optional(
      Type.Object(
        Object.fromEntries(ROLES.map((role) => [role, Name('Model for this role.')])) as Record<
          (typeof ROLES)[number],
          ReturnType<typeof Name>
        >,
        {
          additionalProperties: false,
          description: 'Models for single roles; the others use `model`.',
        },
      ),
    ),
    prompts: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), Type.String({ minLength: 1, maxLength: 1600 }), {
        maxProperties: 32,
        description:
          'Other wordings for questions of the full prompt set, with placeholders such as {{task}}; `set` names a set of the configuration.',
      }),
    ),
    budget: Type.Optional(Budget),
    sampling: Type.Optional(Sampling),
    seed: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2_147_483_647,
        description: 'Same seed, same run. Drawn when absent.',
      }),
    ),
    stream: Type.Optional(Type.Boolean({ description: 'Answer with server-sent events.' })),
    background: Type.Optional(
      Type.Boolean({ description: 'Answer at once with 202; the run goes on.' }),
    ),
    webhook: Type.Optional(Webhook),
    on_disconnect: Type.Optional(
      Type.Enum(['cancel', 'continue'], {
        description:
          'What becomes of a run whose caller leaves while it waits or streams; `cancel` if absent.',
      }),
    ),
    grace_seconds: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 300,
        description:
          'Time to come back before the run is cancelled. 0 if absent; 5 with an Idempotency-Key.',
      }),
    ),
    experiment: Type.Optional(
      Type.Object(
        {
          key: Type.String({ minLength: 1, maxLength: 128, description: 'Of the experiment.' }),
          unit: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 512,
              description: 'What gets an arm, such as a user; the key and the question if absent.',
            }),
          ),
          variant: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 128,
              description: 'An arm to be forced, for trying it out; such runs are not analysed.',
            }),
          ),
        },
        { additionalProperties: false, description: 'Gives the run an arm of an experiment.' },
      ),
    ),
    metadata: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), Type.Unknown(), {
        maxProperties: 64,
        description: 'Kept with the run and given back.',
      }),
    ),
  },
  { additionalProperties: false, $id: 'RunRequest' },
)
export type RunRequest = Static<typeof RunRequest>

/**
 * The task of a request.
 * @throws RefineError invalid_request when there is not exactly one of `input` and `messages`, or no question at the end.
 */
export const taskOf = (request: RunRequest): Task => {
  const { input, messages, sampling = {} } = request
  if (input !== undefined && messages !== undefined) {
    throw invalidField('/input', 'give either `input` or `messages`, not both')
  }
  if (messages === undefined) {
    if (input === undefined) throw invalidField('/input', 'is required, or `messages` in its place')
    return { messages: [{ role: 'user', content: input }], sampling }
  }
  const last = messages.length - 1
  if (messages[last]!.role !== 'user') {
    throw invalidField(`/messages/${last}/role`, 'must be "user": the last message is the question')
  }
  return { messages, sampling }
}
