/** Schema of the configuration file. */
import { Type, type Static } from 'typebox'
import { Budget } from './core/budget.ts'
import { DEVICES } from './core/device.ts'
import { LOG_LEVELS } from './telemetry/log.ts'

const Port = Type.Integer({ minimum: 0, maximum: 65_535 })

const RateLimit = Type.Object(
  {
    quota: Type.Integer({ minimum: 1 }),
    window_seconds: Type.Number({ exclusiveMinimum: 0, maximum: 2_592_000 }),
  },
  { additionalProperties: false },
)

/** What one key may use; without keys, what all callers may use together. */
export const RateLimits = Type.Object(
  {
    requests: Type.Optional(RateLimit),
    tokens: Type.Optional(RateLimit),
    concurrent_runs: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
)
export type RateLimits = Static<typeof RateLimits>

const secretOf = {
  env: Type.Optional(Type.String({ minLength: 1 })),
  file: Type.Optional(Type.String({ minLength: 1 })),
}

/** Where an API key is: exactly one of `env` and `file`. Never the key itself. */
export const KeySource = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64 }),
    env: Type.Optional(
      Type.String({ minLength: 1, description: 'Environment variable with the key.' }),
    ),
    file: Type.Optional(
      Type.String({ minLength: 1, description: 'File whose first line is the key.' }),
    ),
    rate_limits: Type.Optional(RateLimits),
    may_force_arms: Type.Optional(
      Type.Boolean({ description: 'Whether its callers may choose the arm of an experiment.' }),
    ),
  },
  { additionalProperties: false },
)

export type KeySource = Static<typeof KeySource>

const Days = Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 36_500 }))

export const ConfigFile = Type.Object(
  {
    port: Type.Optional(Port),
    host: Type.Optional(Type.String({ minLength: 1 })),
    data: Type.Optional(Type.String({ minLength: 1 })),
    models_dir: Type.Optional(Type.String({ minLength: 1 })),
    device: Type.Optional(Type.Enum([...DEVICES])),
    database: Type.Optional(Type.String({ minLength: 1 })),
    // Each entry is checked by the schema of its own adapter, which tells more than a union can.
    models: Type.Optional(Type.Array(Type.Unknown())),
    defaults: Type.Optional(
      Type.Object(
        {
          model: Type.Optional(Type.String({ minLength: 1 })),
          strategy: Type.Optional(Type.String({ minLength: 1 })),
          max_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
          budget: Type.Optional(Budget),
        },
        { additionalProperties: false },
      ),
    ),
    prompts: Type.Optional(
      Type.Record(
        Type.String({ minLength: 1, maxLength: 64 }),
        Type.Union([Type.String({ minLength: 1 }), Type.Record(Type.String(), Type.String())]),
        {
          description:
            'Prompt sets by name: a folder with a file for each question, or the wordings.',
        },
      ),
    ),
    // As in `POST /v1/experiments`; checked when the strategies and models they name are there.
    experiments: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 1000 })),
    api_keys: Type.Optional(Type.Array(KeySource)),
    no_api_keys: Type.Optional(Type.Boolean()),
    limits: Type.Optional(
      Type.Object(
        {
          running: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
          waiting: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000 })),
          body_bytes: Type.Optional(Type.Integer({ minimum: 1024, maximum: 1_073_741_824 })),
          image_body_bytes: Type.Optional(Type.Integer({ minimum: 1024, maximum: 1_073_741_824 })),
          bodies_bytes: Type.Optional(Type.Integer({ minimum: 1024, maximum: 1_099_511_627_776 })),
          drain_seconds: Type.Optional(Type.Number({ minimum: 0, maximum: 3600 })),
        },
        { additionalProperties: false },
      ),
    ),
    rate_limits: Type.Optional(RateLimits),
    webhooks: Type.Optional(
      Type.Object(
        {
          secrets: Type.Array(Type.Object(secretOf, { additionalProperties: false }), {
            minItems: 1,
            maxItems: 4,
            description:
              'whsec_ secrets: each message is signed with all, so that receivers can change over.',
          }),
          allow_private: Type.Optional(
            Type.Boolean({ description: 'Deliver to private addresses and over http, too.' }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    retention: Type.Optional(
      Type.Object(
        { runs_days: Days, events_days: Days, feedback_days: Days, facts_days: Days },
        {
          additionalProperties: false,
          description: 'After how many days what goes; never if absent.',
        },
      ),
    ),
    cors_origins: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        maxItems: 1000,
        description: 'Origins of web pages that may call the server and open sockets; `*` is any.',
      }),
    ),
    log: Type.Optional(
      Type.Object(
        {
          level: Type.Optional(Type.Enum([...LOG_LEVELS])),
          prompts: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type ConfigFile = Static<typeof ConfigFile>
