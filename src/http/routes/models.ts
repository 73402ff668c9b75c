/**
 * `/v1/models`: the models, and each of them with each strategy as a model of its own, because many clients can choose
 * nothing but a model's name. OpenAI's shape, so that their lists fill.
 */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import { RefineError } from '../../core/errors.ts'
import { CAPABILITIES } from '../../core/language-model.ts'
import type { ModelDescription } from '../../runs/run-service.ts'
import { jsonResponse, listOf, PROBLEM_RESPONSES, toList } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'

const Model = Type.Object(
  {
    id: Type.String({
      description:
        'A model, a model and a strategy (`pebble:best-of-n`), or `experiment:<key>` for an arm of a running experiment.',
    }),
    object: Type.Literal('model'),
    created: Type.Integer({ description: 'Unix time at which the server started, in seconds.' }),
    owned_by: Type.String({ description: 'The adapter that serves it.' }),
    model: Type.String({ description: 'Id of the model alone.' }),
    strategy: Type.Union([Type.String(), Type.Null()]),
    context_length: Type.Union([Type.Integer(), Type.Null()]),
    capabilities: Type.Record(
      Type.Enum([...CAPABILITIES]),
      Type.Enum(['native', 'emulated', 'none']),
    ),
    price: Type.Object({
      input: Type.Number({ description: 'Per million tokens.' }),
      output: Type.Number({ description: 'Per million tokens.' }),
    }),
  },
  { $id: 'Model' },
)
type Model = Static<typeof Model>

const Params = Type.Object({ id: Type.String({ minLength: 1, maxLength: 512 }) })

const LIST_SCHEMA = {
  operationId: 'listModels',
  summary: 'Models, alone and with each strategy',
  tags: ['catalogue'],
  response: { 200: jsonResponse('All models.', listOf(Model, 'ModelList')), ...PROBLEM_RESPONSES },
}

const GET_SCHEMA = {
  operationId: 'getModel',
  summary: 'One model',
  tags: ['catalogue'],
  params: Params,
  response: { 200: jsonResponse('The model.', Model), ...PROBLEM_RESPONSES },
}

const entry = (
  { id, adapter, capabilities, context_length, price }: ModelDescription,
  strategy: string | null,
  created: number,
): Model => ({
  id: strategy === null ? id : `${id}:${strategy}`,
  object: 'model',
  created,
  owned_by: adapter,
  model: id,
  strategy,
  context_length,
  capabilities,
  price,
})

export const registerModels = (
  instance: FastifyInstance,
  { runs, experiments }: HttpContext,
): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const created = Math.floor(Date.now() / 1000)

  const list = (): Model[] =>
    runs
      .models()
      .flatMap((model) => [
        entry(model, null, created),
        ...runs.strategies().map(({ name }) => entry(model, name, created)),
      ])

  /** Running experiments as models, each with the abilities of its control's model. */
  const all = (): Model[] => {
    const models = list()
    const running = experiments.definitions
      .list()
      .filter(({ experiment }) => experiment.status === 'running')
    const named = running.flatMap(({ experiment: { key, arms } }): Model[] => {
      const model = models.find(({ id }) => id === arms[0]!.model) ?? models[0]
      if (model === undefined) return []
      return [{ ...model, id: `experiment:${key}`, owned_by: 'experiment' }]
    })
    return [...models, ...named]
  }

  app.get('/v1/models', { schema: LIST_SCHEMA }, async () => toList(all(), (model) => model.id))

  app.get('/v1/models/:id', { schema: GET_SCHEMA }, async ({ params }) => {
    const model = all().find(({ id }) => id === params.id)
    if (model !== undefined) return model
    throw new RefineError('unknown_model', `There is no model "${params.id}".`, { param: 'id' })
  })
}
