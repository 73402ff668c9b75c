/** The log: one JSON object per line, with ISO times; secrets never, prompts and answers only when asked for. */
import { pino, type ChildLoggerOptions, type DestinationStream, type Logger } from 'pino'

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
  'proxy-authorization',
  'x-api-key',
  'api_key',
  'apikey',
  'cookie',
  'set-cookie',
]

const TEXTS = ['input', 'messages', 'prompt', 'content', 'text', 'answer', 'completion']

/** Deeper objects are left out: nothing of ours is that deep, and a cycle must end. */
const MAX_DEPTH = 8

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/**
 * Copies data with the values of censored keys replaced, at any depth and in any case. Not pino's own `redact`: it
 * wants every depth as a path of its own and then takes ten times as long per line.
 */
const createCensor = (keys: ReadonlySet<string>) => {
  const censorObject = (value: object, depth: number): Record<string, unknown> => {
    const copy: Record<string, unknown> = {}
    for (const [key, inner] of Object.entries(value))
      copy[key] = keys.has(key.toLowerCase()) ? '[redacted]' : censor(inner, depth + 1)
    return copy
  }
  const censor = (value: unknown, depth: number): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (depth > MAX_DEPTH) return '[too deep]'
    if (Array.isArray(value)) return value.map((inner) => censor(inner, depth + 1))
    if (value instanceof Error) return censorObject(pino.stdSerializers.err(value), depth)
    return isPlain(value) ? censorObject(value, depth) : value
  }
  return censorObject
}

type MakeChild = (bindings: object, options: ChildLoggerOptions | undefined) => Logger

/**
 * A pino logger, which also satisfies `Log` of the core and Fastify's `loggerInstance`. Lines are written in the
 * background; pino flushes them when the process ends.
 */
export const createLog = (options: LogOptions): Logger => {
  const { level, logPrompts = false, destination } = options
  const censor = createCensor(new Set(logPrompts ? SECRETS : [...SECRETS, ...TEXTS]))
  const censorDetails = (details: object): Record<string, unknown> => censor(details, 0)
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: (value: unknown) => value },
      formatters: {
        level: (label) => ({ level: label }),
        log: censorDetails,
      },
    },
    destination ?? pino.destination({ dest: 2, sync: false }),
  )
  const child: unknown = Reflect.get(log, 'child')
  // pino passes what a child is bound to through no formatter of its parent's.
  Object.assign(log, {
    child(this: Logger, bindings: object, childOptions?: ChildLoggerOptions): Logger {
      return Reflect.apply(child as MakeChild, this, [censorDetails(bindings), childOptions])
    },
  })
  return log
}
