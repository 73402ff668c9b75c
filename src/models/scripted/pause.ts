/**
 * Waits of one call. A thousand paced streams wait twenty times a second each, so the waits of a call share one abort
 * listener. They follow a plan: one that was late makes the next one shorter. Counted from the moment they are asked for,
 * the waits of all streams that were served in one turn of the event loop would end together ever after.
 */

export interface Pause {
  /** Resolves that many milliseconds after the last wait was due; rejects with the signal's reason as soon as it aborts. */
  wait(milliseconds: number): Promise<void>
  /** Must be called when the call ends: takes the listener off the signal. */
  close(): void
}

export const createPause = (signal: AbortSignal): Pause => {
  let timer: NodeJS.Timeout | undefined
  let due = Date.now()
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
        const now = Date.now()
        // What is more than a wait behind does not catch up.
        due = Math.max(due + milliseconds, now)
        timer = setTimeout(resolve, due - now)
      }),
    close: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    },
  }
}
