/**
 * Ends foreground runs that nobody waits for any more. A run is attended by those who wait for it or stream it; when the
 * last one leaves, it has a grace period for somebody to come back, and is cancelled after that.
 */
import type { FastifyBaseLogger } from 'fastify'
import type { RunService } from '../runs/run-service.ts'

interface Attended {
  readonly owner: string
  readonly graceMs: number
  present: number
  timer: NodeJS.Timeout | undefined
}

export class Attendance {
  readonly #runs: RunService
  readonly #log: FastifyBaseLogger
  readonly #attended = new Map<string, Attended>()

  constructor(runs: RunService, log: FastifyBaseLogger) {
    this.#runs = runs
    this.#log = log
  }

  /** Someone waits for a run that ends when it is left; `gone` tells when they are not there any more. */
  begin(id: string, owner: string, graceSeconds: number, gone: AbortSignal): void {
    if (!this.#attended.has(id)) {
      const graceMs = graceSeconds * 1000
      this.#attended.set(id, { owner, graceMs, present: 0, timer: undefined })
    }
    this.join(id, gone)
  }

  /** Someone reads a run; without an effect for one that does not depend on its readers. */
  join(id: string, gone: AbortSignal): void {
    const run = this.#attended.get(id)
    if (run === undefined) return
    clearTimeout(run.timer)
    run.present++
    const leave = (): void => this.#leave(id, run)
    if (gone.aborted) leave()
    else gone.addEventListener('abort', leave, { once: true })
  }

  /** The run has ended: nobody needs to attend it. */
  end(id: string): void {
    clearTimeout(this.#attended.get(id)?.timer)
    this.#attended.delete(id)
  }

  /** Gives up every grace period; the runs are ended by whoever closes. */
  close(): void {
    for (const id of this.#attended.keys()) this.end(id)
  }

  #leave(id: string, run: Attended): void {
    if (--run.present > 0 || this.#attended.get(id) !== run) return
    if (run.graceMs === 0) return this.#cancel(id, run)
    run.timer = setTimeout(() => this.#cancel(id, run), run.graceMs)
    run.timer.unref()
  }

  #cancel(id: string, { owner }: Attended): void {
    this.#attended.delete(id)
    this.#runs.cancel(id, owner).catch((error: unknown) => {
      this.#log.error({ err: error, run_id: id }, 'a run whose client left could not be cancelled')
    })
  }
}
