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

/** What is said of a part that has not answered in time. */
const PARTS = [
  ['database', 'The database does not answer.'],
  ['models', 'The models are still loading.'],
] as const

/** How long a probe waits: a model may still be loading, and a probe must not hang for that. */
const PROBE_MS = 1000

/** What is wrong with the part; undefined for one that answers in time. Never rejects. */
const faultOf = async (ready: Promise<void>, late: string): Promise<string | undefined> => {
  let timer: NodeJS.Timeout | undefined
  const lateness = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(late), PROBE_MS)
  })
  // Whatever the code of its error, to a probe it means: not now.
  const answer = ready.then(
    () => undefined,
    (thrown: unknown) => toRefineError(thrown).message,
  )
  try {
    return await Promise.race([answer, lateness])
  } finally {
    clearTimeout(timer)
  }
}

/** @throws RefineError overloaded, naming every part that cannot answer just now */
const checkReady = async (runs: HttpContext['runs']): Promise<void> => {
  const found = await Promise.all(PARTS.map(([part, late]) => faultOf(runs.ready(part), late)))
  const faults = found.filter((fault) => fault !== undefined)
  if (faults.length === 0) return
  throw new RefineError('overloaded', `Not ready: ${faults.join(' ')}`, { retryAfter: 1 })
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
      await checkReady(runs)
      return health
    },
  )
}
