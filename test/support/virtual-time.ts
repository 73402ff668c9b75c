/** Time that passes only when nothing else can happen, and a model that takes a fixed part of it for each call. */
import { setImmediate as turn } from 'node:timers/promises'
import type {
  CallOptions,
  GenerationChunk,
  GenerationRequest,
  LanguageModel,
} from '../../src/core/language-model.ts'
import type { Role } from '../../src/core/task.ts'
import { FakeModel, type FakeOptions } from './fake-model.ts'

interface Timer {
  readonly at: number
  readonly wake: () => void
}

/** Turns of the event loop without a new timer after which all work waits. */
const QUIET_TURNS = 64

export class VirtualTime {
  /** Seconds since the beginning. */
  now = 0
  #timers: Timer[] = []
  #events = 0

  /** Rejects with the signal's reason as soon as it aborts. */
  async wait(seconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#events++
    await new Promise<void>((resolve, reject) => {
      const timer = { at: this.now + seconds, wake: resolve }
      const abort = (): void => {
        this.#timers = this.#timers.filter((each) => each !== timer)
        reject(signal.reason as Error)
      }
      this.#timers.push(timer)
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  /** Lets time pass until the work has ended; returns what it took. */
  async measure(work: Promise<unknown>): Promise<number> {
    let ended = false
    const end = work.finally(() => (ended = true))
    end.catch(() => undefined)
    while (!ended) {
      await this.#settle()
      if (!ended) this.#advance()
    }
    await end
    return this.now
  }

  async #settle(): Promise<void> {
    for (let quiet = 0, seen = this.#events; quiet < QUIET_TURNS; quiet++) {
      await turn()
      if (seen === this.#events) continue
      seen = this.#events
      quiet = 0
    }
  }

  #advance(): void {
    const at = Math.min(...this.#timers.map((timer) => timer.at))
    const due = this.#timers.filter((timer) => timer.at === at)
    if (due.length === 0) throw new Error('Nothing goes on, and nothing is waited for.')
    this.#timers = this.#timers.filter((timer) => timer.at !== at)
    this.now = at
    for (const { wake } of due) wake()
  }
}

/** Seconds of one sample of a call, by the name of the role as the compact prompts have it. */
export type Duration = (system: string, sample: number) => number

/** The fake model at a pace. Its replies come at once, whole, when their time is over. */
export class TimedModel extends FakeModel {
  readonly #time: VirtualTime
  readonly #duration: Duration

  constructor(time: VirtualTime, duration: Duration, options: FakeOptions = {}) {
    super(options)
    this.#time = time
    this.#duration = duration
  }

  override forRole(role: Role): LanguageModel {
    const inner = super.forRole(role)
    const scoreSteps = inner.scoreSteps?.bind(inner)
    return {
      ...inner,
      generate: (request, options) => this.#paced(inner, request, options),
      ...(scoreSteps === undefined
        ? {}
        : {
            scoreSteps: async (request, options) => {
              await this.#time.wait(this.#duration('verify', 0), options.signal)
              return scoreSteps(request, options)
            },
          }),
    }
  }

  /** Samples end one after the other, each at its own time. */
  async *#paced(
    inner: LanguageModel,
    request: GenerationRequest,
    options: CallOptions,
  ): AsyncGenerator<GenerationChunk, void, void> {
    const start = this.#time.now
    const chunks: GenerationChunk[] = []
    for await (const chunk of inner.generate(request, options)) chunks.push(chunk)
    const { system } = this.asks.find((ask) => ask.request === request)!
    for (let sample = 0; sample < request.samples; sample++) {
      const at = start + this.#duration(system, sample)
      await this.#time.wait(Math.max(0, at - this.#time.now), options.signal)
      yield* chunks.filter((chunk) => 'sample' in chunk && chunk.sample === sample)
    }
  }
}
