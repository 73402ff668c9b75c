/** What a setting is refused with. */
import { RefineError } from './core/errors.ts'

/** @param setting the flag, variable or field */
export const wrong = (setting: string, expected: string, cause?: unknown): RefineError =>
  new RefineError(
    'invalid_request',
    `${setting}: ${expected}`,
    cause === undefined ? {} : { cause },
  )
