/** Requests that are part of a trace (`traceparent`) tell its id in their log lines; the trace goes on in their runs. */
import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { readTrace, type TraceContext } from '../../core/trace.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined where the caller told none. */
    readonly trace: TraceContext | undefined
  }
}

export const registerTrace = (app: FastifyInstance): void => {
  app.decorateRequest('trace', {
    getter() {
      return readTrace(this.headers)
    },
  })
}

/** The log of one request. */
export const requestLog = (
  log: FastifyBaseLogger,
  bindings: object,
  options: object,
  { headers }: Pick<IncomingMessage, 'headers'>,
): FastifyBaseLogger => {
  const trace = readTrace(headers)
  return log.child(
    trace === undefined ? bindings : { ...bindings, trace_id: trace.traceId },
    options,
  )
}
