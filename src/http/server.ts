/** The transport put together: hooks first, routes after them. Nothing listens yet; more routes may still be added. */
import Fastify, { LogController, type FastifyInstance } from 'fastify'
import { registerChatCompletions } from './compat/openai-chat.ts'
import { registerAuth } from './plugins/auth.ts'
import { registerBodies } from './plugins/bodies.ts'
import { registerCancellation } from './plugins/cancellation.ts'
import { registerClosing } from './plugins/closing.ts'
import { onFrameworkError, registerErrors } from './plugins/errors.ts'
import { registerOpenApi } from './plugins/openapi.ts'
import { registerRequestId, requestIdOf } from './plugins/request-id.ts'
import { registerValidation } from './plugins/validation.ts'
import { registerDocs } from './routes/docs.ts'
import { registerEstimates } from './routes/estimates.ts'
import { registerExperimentReport, registerExperiments } from './routes/experiments.ts'
import { registerFeedback } from './routes/feedback.ts'
import { registerHealth } from './routes/health.ts'
import { registerModels } from './routes/models.ts'
import { registerRunEvents } from './routes/run-events.ts'
import { registerRuns } from './routes/runs.ts'
import { registerStrategies } from './routes/strategies.ts'
import { DEFAULT_LIMITS, type HttpContext, type ServerOptions } from './server-options.ts'
import { registerWebSocket, registerWebSocketPlugin } from './websocket.ts'

export { openapiDocument } from './plugins/openapi.ts'

const ROUTES = [
  registerRuns,
  registerRunEvents,
  registerFeedback,
  registerExperiments,
  registerExperimentReport,
  registerEstimates,
  registerStrategies,
  registerModels,
  registerChatCompletions,
  registerWebSocket,
  registerHealth,
  registerDocs,
]

/** The longest `model:strategy` a path may hold. */
const MAX_PARAM_LENGTH = 512

/**
 * Builds the server around the runs it serves. The caller listens, and closes it after `runs.drain`: closing ends every
 * stream and socket that is still open.
 * @throws RefineError invalid_request when a key's hash is malformed.
 */
export const createServer = async (options: ServerOptions): Promise<FastifyInstance> => {
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const app = Fastify({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytes,
    genReqId: requestIdOf,
    requestIdHeader: false,
    frameworkErrors: onFrameworkError(limits.bodyBytes),
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
  })
  registerRequestId(app)
  registerErrors(app, limits.bodyBytes)
  registerBodies(app)
  registerValidation(app)
  registerClosing(app)
  const cancellation = registerCancellation(app)
  await registerWebSocketPlugin(app, limits.messageBytes)
  registerAuth(app, options.keys ?? [])
  app.addHook('onResponse', async (request, reply) => {
    const { method, url, runId } = request
    const details = { method, url, status: reply.statusCode, ms: reply.elapsedTime, run_id: runId }
    request.log.debug(details, 'answered')
  })
  await registerOpenApi(app, options.version)
  const context: HttpContext = {
    runs: options.runs,
    experiments: options.experiments,
    version: options.version,
    origins: options.origins ?? [],
    limits,
    cancellation,
  }
  for (const register of ROUTES) register(app, context)
  return app
}
