/** The transport put together: hooks first, routes after them. Nothing listens yet; more routes may still be added. */
import type { ServerResponse } from 'node:http'
import Fastify, { LogController, type FastifyInstance } from 'fastify'
import { Attendance } from './attendance.ts'
import { registerAnthropicMessages } from './compat/anthropic-messages.ts'
import { registerChatCompletions } from './compat/openai-chat.ts'
import { registerResponsesSocket } from './compat/openai-responses-socket.ts'
import { registerResponses } from './compat/openai-responses.ts'
import { registerUiChat } from './compat/ui-chat.ts'
import { Metrics } from './metrics.ts'
import { registerRateLimits } from './plugins/rate-limits.ts'
import { SocketTickets } from './socket-tickets.ts'
import { registerAuth } from './plugins/auth.ts'
import { registerBodies } from './plugins/bodies.ts'
import { registerCancellation } from './plugins/cancellation.ts'
import { registerCors } from './plugins/cors.ts'
import { registerClosing } from './plugins/closing.ts'
import { onClientError, onFrameworkError, registerErrors } from './plugins/errors.ts'
import { registerOpenApi } from './plugins/openapi.ts'
import { registerProcessingTime } from './plugins/processing-time.ts'
import { registerRequestId, requestIdOf } from './plugins/request-id.ts'
import { registerTrace, requestLog } from './plugins/trace.ts'
import { registerUpgrades } from './plugins/upgrades.ts'
import { registerValidation } from './plugins/validation.ts'
import { registerDocs } from './routes/docs.ts'
import { registerEstimates } from './routes/estimates.ts'
import { registerExperimentReport, registerExperiments } from './routes/experiments.ts'
import { registerExperimentUnits } from './routes/experiment-units.ts'
import { registerExports } from './routes/exports.ts'
import { registerFeedback } from './routes/feedback.ts'
import { registerHealth } from './routes/health.ts'
import { registerMetrics } from './routes/metrics.ts'
import { registerSocketTickets } from './routes/ws-tickets.ts'
import { registerModels } from './routes/models.ts'
import { registerPlayground } from './routes/playground.ts'
import { registerRunCreation } from './routes/run-creation.ts'
import { registerRunEvents } from './routes/run-events.ts'
import { registerRunSteering } from './routes/run-steering.ts'
import { registerRuns } from './routes/runs.ts'
import { registerStrategies } from './routes/strategies.ts'
import { DEFAULT_LIMITS, type HttpContext, type ServerOptions } from './server-options.ts'
import { registerWebSocket, registerWebSocketPlugin } from './websocket.ts'

export { openapiDocument } from './plugins/openapi.ts'

const ROUTES = [
  registerRunCreation,
  registerRuns,
  registerRunEvents,
  registerRunSteering,
  registerFeedback,
  registerExperiments,
  registerExperimentReport,
  registerExperimentUnits,
  registerExports,
  registerEstimates,
  registerStrategies,
  registerModels,
  registerChatCompletions,
  registerResponses,
  registerResponsesSocket,
  registerAnthropicMessages,
  registerUiChat,
  registerWebSocket,
  registerSocketTickets,
  registerHealth,
  registerMetrics,
  registerDocs,
  registerPlayground,
]

/** The longest `model:strategy` a path may hold. */
const MAX_PARAM_LENGTH = 512

/** The longest that a request may take to arrive, in milliseconds; Fastify has none. */
const ARRIVAL_MS = 300_000

const logReplies = (app: FastifyInstance): void => {
  app.addHook('onResponse', async (request, reply) => {
    const { method, url, runId } = request
    const details = { method, url, status: reply.statusCode, ms: reply.elapsedTime, run_id: runId }
    request.log.debug(details, 'answered')
  })
}

type Shared = Pick<HttpContext, 'limits' | 'cancellation' | 'tickets'>

const contextOf = (app: FastifyInstance, options: ServerOptions, shared: Shared): HttpContext => {
  const attendance = new Attendance(options.runs, options.log)
  const metrics = new Metrics(options.runs)
  app.decorate('countStream', (raw: ServerResponse) => metrics.countStream(raw))
  app.addHook('preClose', async () => {
    attendance.close()
    metrics.close()
  })
  const { runs, experiments, exports, version, origins = [], mayForce = () => true } = options
  return { runs, experiments, exports, mayForce, version, origins, attendance, metrics, ...shared }
}

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
    genReqId: requestIdOf,
    childLoggerFactory: requestLog,
    requestIdHeader: false,
    frameworkErrors: onFrameworkError,
    clientErrorHandler: onClientError,
    requestTimeout: ARRIVAL_MS,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
  })
  registerRequestId(app)
  registerTrace(app)
  registerErrors(app)
  registerBodies(app, limits)
  registerValidation(app)
  registerClosing(app)
  const cancellation = registerCancellation(app)
  await registerWebSocketPlugin(app, limits.messageBytes)
  registerUpgrades(app)
  await registerCors(app, options.origins ?? [])
  const tickets = new SocketTickets()
  registerAuth(app, options.keys ?? [], tickets)
  registerRateLimits(app, options.runs)
  registerProcessingTime(app)
  logReplies(app)
  await registerOpenApi(app, options.version)
  const context = contextOf(app, options, { limits, cancellation, tickets })
  for (const register of ROUTES) register(app, context)
  return app
}
