/** A run while it goes on: its log in memory, its state, and those who wait for more of it. */
import { setMaxListeners } from 'node:events'
import type { RunEvent, RunnerEvent, StrategyEvent } from '../core/event.ts'
import { isTerminal } from '../core/event.ts'
import { reduceRun, type RunState } from '../core/run-state.ts'
import type { RunPage } from '../core/run-store.ts'
import type { Steering } from '../core/steering.ts'
import { deliveriesOf, type Webhook } from './webhook.ts'
import type { Ended, EventWriter } from './event-writer.ts'
import { checkSteering, RunSteering } from './steering.ts'

export class LiveRun {
  readonly id: string
  readonly owner: string
  /** Aborted when the run has to end: by its caller, its deadline, or because it is over. */
  readonly controller = new AbortController()
  readonly #writer: EventWriter
  readonly #webhook: Webhook | undefined
  readonly #events: RunEvent[] = []
  readonly #waiters = new Set<() => void>()
  #steering = new RunSteering({})
  #state: RunState | undefined
  #stored = 0
  #ended = false
  readonly #openedAt = performance.now()
  #firstTextAt: number | undefined
  #firstRevisionAt: string | undefined

  constructor(id: string, owner: string, writer: EventWriter, webhook?: Webhook) {
    this.id = id
    this.owner = owner
    this.#writer = writer
    this.#webhook = webhook
    // Each call of a model listens: with many samples at a time that is no leak.
    setMaxListeners(0, this.controller.signal)
  }

  /** The run so far. It changes as the run goes on: do not keep it. */
  get state(): RunState {
    return this.#state!
  }

  get steering(): RunSteering {
    return this.#steering
  }

  /** Seconds from its creation to the first text of a candidate; undefined while there is none. */
  get firstTextSeconds(): number | undefined {
    return this.#firstTextAt === undefined ? undefined : (this.#firstTextAt - this.#openedAt) / 1000
  }

  get hasWebhook(): boolean {
    return this.#webhook !== undefined
  }

  /** The end of a run that has ended, as it is kept. */
  outcome(): Ended {
    return { state: this.state, deliveries: deliveriesOf(this.#webhook, this.owner, this.state) }
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
    this.#steering = new RunSteering(body.budget)
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
    this.#writer.add(event, this.#ended ? this.outcome() : undefined, () =>
      this.#publish(event.sequence),
    )
    return this.#writer.room()
  }

  /**
   * Tells what is asked as an event and takes it up.
   * @throws RefineError conflict, invalid_request: see `checkSteering`.
   */
  steer(steering: Steering): Promise<void> {
    checkSteering(this.state, steering)
    const told = this.append({ type: 'run.steered', steering })
    this.#steering.apply(steering)
    return told
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
    if (event.type === 'candidate.delta') this.#firstTextAt ??= performance.now()
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

/** A page of runs that have not ended: they are all in memory, and no more than admission lets in. */
export const listLive = (
  live: Iterable<LiveRun>,
  { owner, status, order, after, before }: RunPage,
  limit: number,
): { readonly runs: readonly RunState[]; readonly hasMore: boolean } => {
  const [from, to] = order === 'asc' ? [after, before] : [before, after]
  const matching = [...live]
    .filter((run) => run.owner === owner && run.state.status === status)
    .filter(({ id }) => (from === undefined || id > from) && (to === undefined || id < to))
    .map(({ state }) => state)
    .toSorted((left, right) => (left.id < right.id ? -1 : 1))
  if (order === 'desc') matching.reverse()
  return { runs: matching.slice(0, limit), hasMore: matching.length > limit }
}
