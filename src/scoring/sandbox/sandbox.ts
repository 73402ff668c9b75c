/**
 * Where programs of models run: an interpreter in a worker thread (`worker.ts`). It limits time and memory itself; this
 * side replaces a worker that does not answer, such as one whose memory is being collected for seconds.
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { RefineError } from '../../core/errors.ts'
import type { Outcome, Sandbox } from '../../core/sandbox.ts'
import type { Program, Ran } from './worker.ts'

const WORKER = new URL(`./worker${path.extname(fileURLToPath(import.meta.url))}`, import.meta.url)

/**
 * What a program may take of a processor; of the clock far more, for on a busy machine a right one would fail otherwise.
 * A worker may be silent a little longer still: it must start first.
 */
const LIMITS = { milliseconds: 500, mostMilliseconds: 10_000 }
const GRACE_MILLISECONDS = 5000

const TOO_LONG: Outcome = { output: '', error: 'The program took too long.' }
const DEAD: Outcome = { output: '', error: 'The program broke its interpreter.' }

interface Job extends Program {
  readonly end: (outcome: Outcome) => void
}

class WorkerSandbox implements Sandbox {
  readonly #waiting = new Map<number, Job>()
  #worker: Worker | undefined
  #running: { readonly job: Job; readonly timer: NodeJS.Timeout } | undefined
  #nextId = 0
  #closed = false

  async run(program: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    signal.throwIfAborted()
    if (this.#closed) throw new RefineError('scorer_unavailable', 'The sandbox was closed.')
    const id = this.#nextId++
    const { promise, resolve, reject } = withResolvers<Outcome>()
    const abort = (): void => {
      this.#waiting.delete(id)
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', abort, { once: true })
    this.#waiting.set(id, { id, program, ...LIMITS, end: resolve })
    this.#next()
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { end } of this.#waiting.values()) end(DEAD)
    this.#waiting.clear()
    this.#end(DEAD)
    await this.#worker?.terminate()
  }

  #next(): void {
    if (this.#running !== undefined) return
    const [job] = this.#waiting.values()
    if (job === undefined) return
    this.#waiting.delete(job.id)
    const { end: _, ...program } = job
    const timer = setTimeout(
      () => this.#replace(TOO_LONG),
      job.mostMilliseconds + GRACE_MILLISECONDS,
    )
    this.#running = { job, timer }
    const worker = (this.#worker ??= this.#open())
    worker.ref()
    worker.postMessage(program)
  }

  #open(): Worker {
    const worker = new Worker(WORKER)
    worker.on('message', ({ id, ...outcome }: Ran) => {
      if (this.#running?.job.id === id) this.#end(outcome)
    })
    worker.on('error', () => {
      if (worker === this.#worker) this.#replace(DEAD)
    })
    return worker
  }

  #replace(outcome: Outcome): void {
    void this.#worker?.terminate()
    this.#worker = undefined
    this.#end(outcome)
  }

  #end(outcome: Outcome): void {
    const ended = this.#running
    if (ended === undefined) return
    clearTimeout(ended.timer)
    this.#running = undefined
    this.#worker?.unref() // an idle sandbox keeps no process alive
    ended.job.end(outcome)
    this.#next()
  }
}

/** Node 20 has no `Promise.withResolvers`. */
const withResolvers = <Value>(): {
  readonly promise: Promise<Value>
  readonly resolve: (value: Value) => void
  readonly reject: (reason: Error) => void
} => {
  let resolve: (value: Value) => void = () => undefined
  let reject: (reason: Error) => void = () => undefined
  const promise = new Promise<Value>((...ends) => ([resolve, reject] = ends))
  return { promise, resolve, reject }
}

/** Programs take turns; the thread is started by the first one. */
export const createSandbox = (): Sandbox => new WorkerSandbox()
