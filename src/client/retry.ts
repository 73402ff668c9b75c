/** How long to wait between attempts, and when to give up. */
import { WhetstoneError } from './whetstone-error.ts'

export interface RetryOptions {
  /** Attempts in a row that bring nothing new before the error is thrown. Default: 6. */
  readonly attempts?: number
  /** Milliseconds before the first of them; each waits twice as long as the one before. Default: 250. */
  readonly delayMs?: number
  /** Longest wait, in milliseconds, unless the server asks for more. Default: 8000. */
  readonly maxDelayMs?: number
}

/** Resolves after the time. @throws the reason of the signal when it aborts first. */
export const pause = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    if (signal?.aborted === true) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })

/** Counts attempts that failed in a row. */
export class Backoff {
  readonly #options: Required<RetryOptions>
  #failures = 0

  constructor({ attempts = 6, delayMs = 250, maxDelayMs = 8000 }: RetryOptions = {}) {
    this.#options = { attempts, delayMs, maxDelayMs }
  }

  /** Something new arrived: the count starts again. */
  reset(): void {
    this.#failures = 0
  }

  /** Waits before the next attempt. @throws the error itself when another attempt would be of no use. */
  async wait(error: unknown, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { attempts, delayMs, maxDelayMs } = this.#options
    if (!(error instanceof WhetstoneError) || !error.retryable) throw error
    if (++this.#failures > attempts) throw error
    const longest = Math.min(maxDelayMs, delayMs * 2 ** (this.#failures - 1))
    // Between half and all of it, so that clients that lost the same server do not come back at the same moment.
    const wanted = longest * (0.5 + Math.random() / 2)
    await pause(Math.max(wanted, (error.retryAfter ?? 0) * 1000), signal)
  }
}
