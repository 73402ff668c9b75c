/** A run while it goes on: its log in memory, its state, and those who wait for more of it. */
import type { RunEvent, RunnerEvent, StrategyEvent } from '../core/event.ts'
import { isTerminal } from '../core/event.ts'
import { reduceRun, type RunState } from '../core/run-state.ts'
import type { EventWriter } from './event-writer.ts'

export class LiveRun {
  readonly id: string
  readonly owner: string
  /** Aborted when the run has to end: by its caller, its deadline, or because it is over. */
  readonly controller = new AbortController()
  readonly #writer: EventWriter
  readonly #events: RunEvent[] = []
  readonly #waiters = new Set<() => void>()
  #state: RunState | undefined
  #stored = 0
  #ended = false
  #firstRevisionAt: string | undefined

  constructor(id: string, owner: string, writer: EventWriter) {
    this.id = id
    this.owner = owner
    this.#writer = writer
  }

  /** The run so far. It changes as the run goes on: do not keep it. */
  get state(): RunState {
    return this.#state!
  }

  /** When the first answer was shown, ISO 8601. */
  get firstRevisionAt(): string | undefined {
    return this.#firstRevisionAt
  }

  /** Whether the terminal event is in the log; nothing is appended behind it. */
  get ended(): boolean {
    return this.#ended
  }

  /** Makes the first event, which the caller stores together with the run. */
  open(body: Extract<RunnerEvent, { type: 'run.created' }>): RunEvent {
    const event = this.#stamp(body)
    this.restore(event)
    return event
  }

  /** Takes up an event that is stored already. */
  restore(event: RunEvent): void {
    this.#apply(event)
    this.#stored = event.sequence
  }

  /**
   * Stamps the body with its envelope and appends it; behind the terminal event it does nothing. Resolves at once
   * unless the store lags behind.
   */
  append(body: StrategyEvent | RunnerEvent): Promise<void> {
    if (this.#ended) return Promise.resolve()
    const event = this.#stamp(body)
    this.#apply(event)
    const final = this.#ended ? this.state : undefined
    this.#writer.add(event, final, () => this.#publish(event.sequence))
    return this.#writer.room()
  }

  /**
   * The stored events above `after`, and then each one as soon as it is stored: a reader never sees what a crash
   * could still take back. Ends after the terminal event or when the signal aborts.
   */
  async *read(after: number, signal: AbortSignal): AsyncGenerator<RunEvent, void, void> {
    let position = after
    while (!signal.aborted) {
      if (position < this.#stored) {
        const event = this.#events[position++]!
        yield event
        if (isTerminal(event)) return
      } else if (this.#ended && position >= this.#events.length) {
        return
      } else {
        await this.#more(signal)
      }
    }
  }

  #stamp(body: StrategyEvent | RunnerEvent): RunEvent {
    const sequence = this.#events.length + 1
    return { run_id: this.id, sequence, at: new Date().toISOString(), ...body }
  }

  #apply(event: RunEvent): void {
    this.#state = reduceRun(this.#state, event)
    this.#events.push(event)
    if (event.type === 'answer.revised') this.#firstRevisionAt ??= event.at
    this.#ended = isTerminal(event)
  }

  #publish(sequence: number): void {
    this.#stored = sequence
    for (const wake of this.#waiters) wake()
    this.#waiters.clear()
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake)
        this.#waiters.delete(wake)
        resolve()
      }
      signal.addEventListener('abort', wake, { once: true })
      this.#waiters.add(wake)
    })
  }
}
