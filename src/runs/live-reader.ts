/**
 * Reads the log of a run that goes on. Not an async generator, though it is used as one: thousands of readers take
 * events at the same time, and a generator makes several promises for each of them.
 */
import type { LogPiece } from '../core/log-piece.ts'

type Step = IteratorResult<LogPiece, void>

/** What a reader sees of a run. */
export interface ReadableRun {
  /** What is stored behind this sequence, as much as a piece may hold; undefined where that is nothing. */
  behind(sequence: number): LogPiece | undefined
  /** Whether nothing comes behind this sequence any more. */
  endsAt(sequence: number): boolean
  /** Calls `wake` once, when more is stored. */
  onMore(wake: () => void): void
  forget(wake: () => void): void
}

const END: Step = { done: true, value: undefined }

export class LiveReader implements AsyncGenerator<LogPiece, void, void> {
  readonly #run: ReadableRun
  readonly #signal: AbortSignal
  #position: number
  #isDone = false
  #resolve: ((step: Step) => void) | undefined

  /** Begins behind the sequence `after`; ends when the signal aborts. */
  constructor(run: ReadableRun, after: number, signal: AbortSignal) {
    this.#run = run
    this.#position = after
    this.#signal = signal
    if (signal.aborted) this.#isDone = true
    else signal.addEventListener('abort', this.#close, { once: true })
  }

  next(): Promise<Step> {
    const step = this.#take()
    if (step !== undefined) return Promise.resolve(step)
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#run.onMore(this.#wake)
    })
  }

  return(): Promise<Step> {
    this.#close()
    return Promise.resolve(END)
  }

  throw(cause: unknown): Promise<Step> {
    this.#close()
    return Promise.reject(cause as Error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close()
  }

  /** The next step, undefined where it has to be waited for. */
  #take(): Step | undefined {
    if (this.#isDone) return END
    const piece = this.#run.behind(this.#position)
    if (piece === undefined) {
      if (!this.#run.endsAt(this.#position)) return undefined
      this.#close()
      return END
    }
    this.#position += piece.texts.length
    return { done: false, value: piece }
  }

  readonly #wake = (): void => {
    const step = this.#take()
    if (step === undefined) return this.#run.onMore(this.#wake)
    this.#resolve?.(step)
    this.#resolve = undefined
  }

  /** Whoever waits gets the end. */
  readonly #close = (): void => {
    this.#isDone = true
    this.#signal.removeEventListener('abort', this.#close)
    this.#run.forget(this.#wake)
    this.#resolve?.(END)
    this.#resolve = undefined
  }
}
