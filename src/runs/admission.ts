import { RefineError } from '../core/errors.ts'

interface Waiting {
  readonly start: () => void
  readonly signal: AbortSignal
}

/** A place in the queue: `admitted` resolves when the run may start; `leave` gives the place back, once. */
export interface Place {
  readonly admitted: Promise<void>
  leave(): void
}

/**
 * Lets at most `running` runs go at once and at most `waiting` more wait, first come first served.
 * @throws RefineError (from `enter`) overloaded with a Retry-After when the queue is full, shutting_down when closed.
 */
export class Admission {
  readonly #limits: { readonly running: number; readonly waiting: number }
  readonly #waiting: Waiting[] = []
  #running = 0
  #closed = false

  constructor(limits: { readonly running: number; readonly waiting: number }) {
    this.#limits = limits
  }

  /** Aborting the signal gives up a place that still waits; `admitted` then never resolves. */
  enter(signal: AbortSignal): Place {
    if (this.#closed) {
      throw new RefineError('shutting_down', 'The server is shutting down.', { retryAfter: 5 })
    }
    if (this.#running < this.#limits.running) {
      this.#running++
      return { admitted: Promise.resolve(), leave: this.#leaveOnce() }
    }
    if (this.#waiting.length >= this.#limits.waiting) {
      throw new RefineError('overloaded', `${this.#waiting.length} runs are waiting already.`, {
        retryAfter: 1 + Math.ceil(this.#waiting.length / this.#limits.running),
      })
    }
    return this.#wait(signal)
  }

  load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#waiting.length }
  }

  /** From now on `enter` throws; runs that wait keep their place. */
  close(): void {
    this.#closed = true
  }

  #wait(signal: AbortSignal): Place {
    let running = false
    const leaveRunning = this.#leaveOnce()
    const admitted = new Promise<void>((resolve) => {
      const start = (): void => {
        running = true
        resolve()
      }
      const entry = { start, signal }
      this.#waiting.push(entry)
      signal.addEventListener('abort', () => this.#forget(entry), { once: true })
    })
    return { admitted, leave: () => running && leaveRunning() }
  }

  #forget(entry: Waiting): void {
    const at = this.#waiting.indexOf(entry)
    if (at >= 0) this.#waiting.splice(at, 1)
  }

  #leaveOnce(): () => void {
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next.start()
    }
  }
}
