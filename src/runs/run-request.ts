/** Body of `POST /v1/runs` and of `run.create` on a socket: wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import { Budget, LONGEST_SECONDS } from '../core/budget.ts'
import { Webhook } from './webhook.ts'
import { ROLES } from '../core/task.ts'
import { TASK_FIELDS } from './task-request.ts'

const Name = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 256, description }))

export const RunRequest = Type.Object(
  {
    ...TASK_FIELDS,
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
    deadline_seconds: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: LONGEST_SECONDS,
        description:
          'When the caller stops waiting. As `budget.seconds`, the shorter one holds, but no arm of an experiment ' +
          'decides it.',
      }),
    ),
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
