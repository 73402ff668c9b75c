/** Waiting that an abort ends: work that hangs cannot hold whoever waits for it. */

/** The promise's value, or the signal's reason as soon as it aborts. */
export const orAbort = <Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> =>
  new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })

/**
 * As `orAbort` for one promise after the other, with one listener for all of them: it is for loops that go round
 * thousands of times. The signal must not outlive the loop by much, since the listener stays.
 */
export const orAbortEach = (
  signal: AbortSignal,
): (<Value>(promise: Promise<Value>) => Promise<Value>) => {
  let giveUp: (reason: Error) => void = () => undefined
  signal.addEventListener('abort', () => giveUp(signal.reason as Error), { once: true })
  return (promise) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error)
      giveUp = reject
      promise.then(resolve, reject)
    })
}
