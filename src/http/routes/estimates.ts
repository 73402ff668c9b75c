/** `/v1/estimates`: what a run may cost, before it runs. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { ROLES } from '../../core/task.ts'
import { RunRequest } from '../../runs/run-request.ts'
import { jsonResponse, PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'

const Cost = Type.Object(
  {
    calls: Type.Number(),
    input_tokens: Type.Number(),
    output_tokens: Type.Number(),
    cost: Type.Number({ description: 'In the currency of the model prices.' }),
  },
  { $id: 'Cost' },
)

const Estimate = Type.Object(
  {
    worst_case: Cost,
    expected: Type.Union([Cost, Type.Null()]),
    by_role: Type.Array(
      Type.Object({
        role: Type.Enum([...ROLES]),
        calls: Type.Number(),
        input_tokens: Type.Number(),
        output_tokens: Type.Number(),
      }),
    ),
  },
  { $id: 'Estimate' },
)

const SCHEMA = {
  operationId: 'estimateRun',
  summary: 'Upper bound of what a run takes',
  description:
    '`expected` is the mean of earlier runs of the same strategy, options and model; null while there are none.',
  tags: ['runs'],
  body: RunRequest,
  response: { 200: jsonResponse('The estimate.', Estimate), ...PROBLEM_RESPONSES },
}

export const registerEstimates = (instance: FastifyInstance, { runs }: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  app.post('/v1/estimates', { schema: SCHEMA, config: { images: true } }, async ({ body }) => {
    const { worst_case, expected, by_role } = await runs.estimate(body)
    return {
      worst_case,
      expected,
      by_role: by_role.map(({ role, calls, inputTokens, outputTokens }) => ({
        role,
        calls,
        input_tokens: inputTokens,
        output_tokens: outputTokens,
      })),
    }
  })
}
