/** Waits of one call. A thousand paced streams wait twenty times a second each, so they share one abort listener. */

export interface Pause {
  /** Resolves after that many milliseconds; rejects with the signal's reason as soon as it aborts. */
  wait(milliseconds: number): Promise<void>
  /** Must be called when the call ends: takes the listener off the signal. */
  close(): void
}

export const createPause = (signal: AbortSignal): Pause => {
  let timer: NodeJS.Timeout | undefined
  let fail: (reason: unknown) => void = () => undefined
  const abort = (): void => {
    clearTimeout(timer)
    fail(signal.reason)
  }
  signal.addEventListener('abort', abort, { once: true })
  return {
    wait: (milliseconds) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        fail = reject
        timer = setTimeout(resolve, milliseconds)
      }),
    close: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    },
  }
}
