/** The log: one JSON object per line, with ISO times; secrets never, prompts and answers only when asked for. */
import { pino, type DestinationStream, type Logger } from 'pino'

export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogOptions {
  readonly level: LogLevel
  /** Lets the text of prompts and answers into the log; off by default. */
  readonly logPrompts?: boolean
  /** Where the lines go, standard error by default: standard output belongs to the commands. */
  readonly destination?: DestinationStream
}

const SECRETS = [
  'authorization',
  'Authorization',
  'proxy-authorization',
  'x-api-key',
  'X-API-Key',
  'cookie',
  'Cookie',
  'set-cookie',
  'api_key',
  'apiKey',
]

const TEXTS = ['input', 'messages', 'prompt', 'content', 'text', 'answer', 'completion']

/** A key may stand at the top or up to three objects deep (`err.request.headers.authorization`). */
const DEPTH = 4

const pathsOf = (key: string): string[] => {
  const last = /^\w+$/.test(key) ? key : `["${key}"]`
  return Array.from({ length: DEPTH }, (_, depth) => {
    const prefix = Array.from({ length: depth }, () => '*').join('.')
    if (prefix === '') return last
    return last.startsWith('[') ? prefix + last : `${prefix}.${last}`
  })
}

/**
 * A pino logger, which also satisfies `Log` of the core and Fastify's `loggerInstance`. Lines are written in the
 * background; pino flushes them when the process ends.
 */
export const createLog = (options: LogOptions): Logger => {
  const { level, logPrompts = false, destination } = options
  const censored = logPrompts ? SECRETS : [...SECRETS, ...TEXTS]
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: censored.flatMap(pathsOf), censor: '[redacted]' },
    },
    destination ?? pino.destination({ dest: 2, sync: false }),
  )
}
