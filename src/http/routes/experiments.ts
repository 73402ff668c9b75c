/** `/v1/experiments`: A/B tests as resources. Every change is a version, named by the `etag`. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { Type, type Static } from 'typebox'
import { invalidField, RefineError } from '../../core/errors.ts'
import type { Versioned } from '../../experiments/definitions.ts'
import { ExperimentDefinition } from '../../experiments/experiment.ts'
import { ExperimentPlan, planExperiment, PlanRequest } from '../../experiments/experiment-plan.ts'
import { renderReport } from '../../experiments/report/page.ts'
import { ExperimentResults } from '../../experiments/results-schema.ts'
import { jsonResponse, listOf, PROBLEM_RESPONSES, toList } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'

export const Key = Type.Object({
  key: Type.String({ minLength: 1, maxLength: 128, description: 'Key of the experiment.' }),
})

const Experiment = Type.Object(
  {
    object: Type.Literal('experiment'),
    ...ExperimentDefinition.properties,
    version: Type.Integer({ minimum: 1, description: 'Also the `etag`.' }),
    updated_at: Type.String({ format: 'date-time', description: 'When the version was made.' }),
  },
  { $id: 'Experiment' },
)
type Experiment = Static<typeof Experiment>

/** A changed definition is checked as a whole, so that what is wrong is told of the whole. */
const Change = Type.Record(Type.String(), Type.Unknown(), {
  $id: 'ExperimentChange',
  description:
    'Fields of the definition to replace; null takes one back to its default. The key stays. Arms, weights, metrics and ' +
    'the unit of an experiment that has begun change only together with a new salt.',
})

const VersionQuery = Type.Object(
  { version: Type.Optional(Type.Integer({ minimum: 1, description: 'The newest if absent.' })) },
  { additionalProperties: false },
)

const IfMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({ description: 'The `etag` of the version to be changed, or `*`.' }),
  ),
})

const tags = ['experiments']
const one = (description: string) => jsonResponse(`${description} \`etag\` names it.`, Experiment)

const CREATE_SCHEMA = {
  operationId: 'createExperiment',
  summary: 'Define an experiment',
  tags,
  body: ExperimentDefinition,
  response: { 201: one('The first version.'), ...PROBLEM_RESPONSES },
}

const LIST_SCHEMA = {
  operationId: 'listExperiments',
  summary: 'All experiments, in their newest versions',
  tags,
  response: {
    200: jsonResponse('All experiments, by key.', listOf(Experiment, 'ExperimentList')),
    ...PROBLEM_RESPONSES,
  },
}

const GET_SCHEMA = {
  operationId: 'getExperiment',
  summary: 'One version of an experiment',
  tags,
  params: Key,
  querystring: VersionQuery,
  response: { 200: one('The version.'), ...PROBLEM_RESPONSES },
}

const CHANGE_SCHEMA = {
  operationId: 'changeExperiment',
  summary: 'Make a new version with some fields changed',
  description: 'Needs `if-match`: 428 without it, 412 when another version came in between.',
  tags,
  params: Key,
  headers: IfMatch,
  body: Change,
  response: { 200: one('The new version.'), ...PROBLEM_RESPONSES },
}

const RESULTS_SCHEMA = {
  operationId: 'getExperimentResults',
  summary: 'What the experiment shows as of now',
  description:
    'Anytime figures hold however often this is read. A decision that was taken stays, with its evidence.',
  tags,
  params: Key,
  response: { 200: jsonResponse('The results.', ExperimentResults), ...PROBLEM_RESPONSES },
}

const PLAN_SCHEMA = {
  operationId: 'planExperiment',
  summary: 'Units, days and money an experiment needs',
  tags,
  body: PlanRequest,
  response: { 200: jsonResponse('The plan.', ExperimentPlan), ...PROBLEM_RESPONSES },
}

const toResource = ({ experiment, version, at }: Versioned): Experiment => ({
  object: 'experiment',
  ...experiment,
  version,
  updated_at: at,
})

const send = (reply: FastifyReply, versioned: Versioned): Experiment => {
  reply.header('etag', `"${versioned.version}"`)
  return toResource(versioned)
}

/** The version that `If-Match` names; undefined for any. @throws RefineError precondition_required */
const expectedVersion = (header: string | undefined): number | undefined => {
  if (header === undefined || header === '') {
    throw new RefineError('precondition_required', 'Send if-match with the etag you have seen.', {
      param: 'if-match',
    })
  }
  if (header.trim() === '*') return undefined
  const version = /^\s*"(\d{1,15})"\s*$/.exec(header)?.[1]
  if (version === undefined) throw invalidField('/if-match', 'must be an etag such as "3", or *')
  return Number(version)
}

export const registerExperiments = (
  instance: FastifyInstance,
  { experiments }: HttpContext,
): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  const { definitions } = experiments

  app.post('/v1/experiments', { schema: CREATE_SCHEMA }, async ({ body }, reply) => {
    const created = await definitions.create(body)
    reply.code(201).header('location', `/v1/experiments/${created.experiment.key}`)
    return send(reply, created)
  })

  app.get('/v1/experiments', { schema: LIST_SCHEMA }, async () =>
    toList(definitions.list().map(toResource), ({ key }) => key),
  )

  app.post('/v1/experiments/plan', { schema: PLAN_SCHEMA }, async ({ body }) =>
    planExperiment(body),
  )

  app.get('/v1/experiments/:key', { schema: GET_SCHEMA }, async ({ params, query }, reply) => {
    const { version } = query
    const found =
      version === undefined
        ? definitions.get(params.key)
        : await definitions.version(params.key, version)
    return send(reply, found)
  })

  app.patch(
    '/v1/experiments/:key',
    { schema: CHANGE_SCHEMA },
    async ({ params, headers, body }, reply) => {
      definitions.get(params.key)
      const expected = expectedVersion(headers['if-match'])
      return send(reply, await definitions.change(params.key, body, expected))
    },
  )

  app.get('/v1/experiments/:key/results', { schema: RESULTS_SCHEMA }, async ({ params }) => {
    const { results } = await experiments.view(params.key)
    return results
  })
}

const REPORT_SCHEMA = {
  operationId: 'getExperimentReport',
  summary: 'The results as a page with plots, which loads nothing from anywhere',
  tags,
  params: Key,
  response: {
    200: {
      description: 'The page.',
      content: { 'text/html': { schema: Type.String() } },
    },
    ...PROBLEM_RESPONSES,
  },
}

const NO_ACTIVE_CONTENT = "default-src 'none'; style-src 'unsafe-inline'"

export const registerExperimentReport = (
  instance: FastifyInstance,
  { experiments }: HttpContext,
): void => {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>()
  app.get('/v1/experiments/:key/report', { schema: REPORT_SCHEMA }, async ({ params }, reply) => {
    const page = renderReport(await experiments.view(params.key))
    return reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', NO_ACTIVE_CONTENT)
      .send(page)
  })
}
