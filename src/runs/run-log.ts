import type { Log } from '../core/strategy.ts'

/** The same log, with the fields in every line. */
export const logWith = (log: Log, fields: object): Log => ({
  debug: (details, message) => log.debug({ ...fields, ...details }, message),
  info: (details, message) => log.info({ ...fields, ...details }, message),
  warn: (details, message) => log.warn({ ...fields, ...details }, message),
  error: (details, message) => log.error({ ...fields, ...details }, message),
})
