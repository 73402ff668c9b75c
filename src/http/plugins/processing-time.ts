/** `openai-processing-ms`, as OpenAI's own routes have it: how long the server took until it began to answer. */
import type { FastifyInstance, FastifyReply } from 'fastify'

const OPENAI_ROUTES = /^\/v1\/(?:chat\/completions|responses|models)(?:[/?]|$)/

export const processingHeader = ({ request, elapsedTime }: FastifyReply): Record<string, string> =>
  OPENAI_ROUTES.test(request.url) ? { 'openai-processing-ms': elapsedTime.toFixed(0) } : {}

/** A stream, whose head no hook sees, asks for the header itself. */
export const registerProcessingTime = (app: FastifyInstance): void => {
  app.addHook('onSend', async (_, reply) => void reply.headers(processingHeader(reply)))
}
