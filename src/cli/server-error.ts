/** What a server says is wrong, in the errors of the commands. */
import { WhetstoneError } from '../client/whetstone-error.ts'
import { CATALOG, RefineError, type ErrorCode } from '../core/errors.ts'

/** Anything but an error of the client comes back as it is. */
export const toServerError = (thrown: unknown): unknown => {
  if (!(thrown instanceof WhetstoneError)) return thrown
  const { status, code, message } = thrown
  if (status === 0) return new RefineError('upstream_unavailable', message, { cause: thrown })
  const isKnown = Object.hasOwn(CATALOG, code)
  return new RefineError(
    isKnown ? (code as ErrorCode) : 'upstream_rejected',
    `The server answered ${status}: ${message}`,
    { cause: thrown },
  )
}

/** The result of a call. @throws RefineError as the server says, or upstream_unavailable when none answers */
export const fromServer = <Result>(call: Promise<Result>): Promise<Result> =>
  call.catch((thrown: unknown) => {
    throw toServerError(thrown)
  })
