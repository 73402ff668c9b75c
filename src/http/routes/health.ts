/** `/healthz`: the process answers. `/readyz`: it can also do its work. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { RefineError, toRefineError } from '../../core/errors.ts'
import { jsonResponse, PROBLEM_RESPONSES } from '../responses.ts'
import type { HttpContext } from '../server-options.ts'

const Health = Type.Object(
  { status: Type.Literal('ok'), version: Type.String() },
  { $id: 'Health' },
)

const schema = (operationId: string, summary: string) => ({
  operationId,
  summary,
  tags: ['operation'],
  security: [],
  response: { 200: jsonResponse('Yes.', Health), ...PROBLEM_RESPONSES },
})

const LATE = 'The models are still loading, or the database does not answer.'

/** How long a probe waits: a model may still be loading, and a probe must not hang for that. */
const PROBE_MS = 1000

const withinProbe = async (ready: Promise<void>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new RefineError('overloaded', LATE, { retryAfter: 1 })),
      PROBE_MS,
    )
  })
  try {
    await Promise.race([ready, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Whatever the code of the model's error, to a probe it means: not now. */
const notReady = (thrown: unknown): RefineError => {
  const { message } = toRefineError(thrown)
  return new RefineError('overloaded', `Not ready: ${message}`, { retryAfter: 1 })
}

export const registerHealth = (app: FastifyInstance, { runs, version }: HttpContext): void => {
  const health = { status: 'ok', version } as const

  app.get(
    '/healthz',
    { schema: schema('getHealth', 'Is the process alive?'), config: { public: true } },
    async () => health,
  )

  app.get(
    '/readyz',
    {
      schema: schema('getReadiness', 'Can every model and the database answer?'),
      config: { public: true },
    },
    async () => {
      try {
        await withinProbe(runs.ready())
      } catch (error) {
        throw notReady(error)
      }
      return health
    },
  )
}
