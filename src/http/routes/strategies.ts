/** `/v1/strategies`: how an answer can be refined, with the options of each way. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { CAPABILITIES } from '../../core/language-model.ts'
import { jsonResponse, listOf, PROBLEM_RESPONSES, toList } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'

const Strategy = Type.Object(
  {
    name: Type.String(),
    description: Type.String(),
    feedback: Type.Enum(['none', 'self', 'model', 'reward', 'execution', 'vote'], {
      description: 'Where the signal that improves the answer comes from.',
    }),
    requires: Type.Array(Type.Enum([...CAPABILITIES])),
    source: Type.String({ description: 'The paper, or `baseline`.' }),
    options: Type.Record(Type.String(), Type.Unknown(), {
      description: 'JSON Schema of `options`, of type object; every option has a default.',
    }),
  },
  { $id: 'Strategy' },
)

const SCHEMA = {
  operationId: 'listStrategies',
  summary: 'Strategies and their options',
  tags: ['catalogue'],
  response: {
    200: jsonResponse('All strategies.', listOf(Strategy, 'StrategyList')),
    ...PROBLEM_RESPONSES,
  },
}

export const registerStrategies = (app: FastifyInstance, { runs }: HttpContext): void => {
  app.get('/v1/strategies', { schema: SCHEMA }, async () =>
    toList(runs.strategies(), (strategy) => strategy.name),
  )
}
