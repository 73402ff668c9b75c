/** `/v1/runs/{id}/steer`: those who watch a run may accept, limit, advise, drop and mark. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { RunState } from '../../core/run-state.ts'
import { Steering } from '../../core/steering.ts'
import { readSteering } from '../../runs/steering.ts'
import { jsonResponse, PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { RunId } from './runs.ts'

const SCHEMA = {
  operationId: 'steerRun',
  summary: 'Steer a run that goes on',
  description:
    'An event `run.steered` tells everyone. `accept` and `budget` act on every run at once; hints, drops and marks are ' +
    'taken up by strategies that go in rounds, when the next one begins.',
  tags: ['runs'],
  params: RunId,
  body: Steering,
  response: {
    200: jsonResponse('The run as it is then; after `accept` as it ended.', RunState),
    ...PROBLEM_RESPONSES,
  },
}

export const registerRunSteering = (instance: FastifyInstance, { runs }: HttpContext): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  // The union of all actions would only say that none fits: the action's own schema says more.
  const options = { schema: SCHEMA, validatorCompiler: () => (value: unknown) => ({ value }) }
  app.post('/v1/runs/:id/steer', options, async ({ params, body, owner }) =>
    runs.steer(params.id, owner, readSteering(body)),
  )
}
