/** `/v1/experiments/{key}/assignments` and `…/exposures`: arms of units whose work is done elsewhere. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { AssignedArm } from '../../experiments/encounter.ts'
import {
  ExposureRows,
  MOST_UNITS,
  OutsideUnits,
  UnitRows,
  type OutsideCaller,
} from '../../experiments/outside-units.ts'
import { jsonResponse, PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'
import { Key } from './experiments.ts'

const ASSIGNED = {
  arm: Type.String(),
  reason: Type.String({ description: 'Only `assigned` units are analysed.' }),
  propensity: Type.Number(),
  bucket: Type.Integer({ minimum: 0, maximum: 9999 }),
}

const Assignments = Type.Object(
  {
    object: Type.Literal('experiment.assignments'),
    data: Type.Array(Type.Object(ASSIGNED), { description: 'In the order of the units.' }),
  },
  { $id: 'ExperimentAssignments' },
)

const Exposures = Type.Object(
  {
    object: Type.Literal('experiment.exposures'),
    data: Type.Array(
      Type.Object({
        id: Type.Union([Type.String(), Type.Null()], {
          description:
            'The `run_id` for feedback in `POST /v1/feedback`; null for units without a part in it.',
        }),
        ...ASSIGNED,
      }),
      { description: 'In the order of the units.' },
    ),
  },
  { $id: 'ExperimentExposures' },
)

const ASSIGN_SCHEMA = {
  operationId: 'assignUnits',
  summary: 'Which arms units get',
  description: `Of 1 to ${MOST_UNITS} units, by the rule that runs are assigned by. Nothing is recorded.`,
  tags: ['experiments'],
  params: Key,
  body: UnitRows,
  response: { 200: jsonResponse('The arms.', Assignments), ...PROBLEM_RESPONSES },
}

const EXPOSE_SCHEMA = {
  operationId: 'exposeUnits',
  summary: 'Units meet their arms outside of this server',
  description:
    `Of 1 to ${MOST_UNITS} units, just before the work of their arms begins. When the answer comes, all are durable. ` +
    'The first exposure of a unit stands; the same again changes nothing and has the same `id`.',
  tags: ['experiments'],
  params: Key,
  body: ExposureRows,
  response: {
    201: jsonResponse('The arms, and what to report on.', Exposures),
    ...PROBLEM_RESPONSES,
  },
}

const told = ({ assignment, bucket }: AssignedArm) => {
  const { arm, reason, propensity } = assignment
  return { arm, reason, propensity, bucket }
}

export const registerExperimentUnits = (
  instance: FastifyInstance,
  { experiments, mayForce }: HttpContext,
): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const units = new OutsideUnits(experiments)
  const callerOf = ({ owner }: Pick<FastifyRequest, 'owner'>): OutsideCaller => ({
    owner,
    mayForce: mayForce(owner),
  })

  app.post('/v1/experiments/:key/assignments', { schema: ASSIGN_SCHEMA }, async (request) => {
    const { params, body } = request
    const assigned = await units.assign(params.key, body.data, callerOf(request))
    return { object: 'experiment.assignments', data: assigned.map(told) }
  })

  app.post('/v1/experiments/:key/exposures', { schema: EXPOSE_SCHEMA }, async (request, reply) => {
    const { params, body } = request
    const exposed = await units.expose(params.key, body.data, callerOf(request))
    const data = exposed.map(({ id, assigned }) => ({ id, ...told(assigned) }))
    return reply.code(201).send({ object: 'experiment.exposures', data })
  })
}
