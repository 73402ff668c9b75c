/** A run while it goes on: its log in memory, its state, and those who wait for more of it. */
import { setMaxListeners } from 'node:events'
import type { RunEvent, RunnerEvent, StrategyEvent } from '../core/event.ts'
import { isTerminal } from '../core/event.ts'
import { cutPiece, type LogPiece } from '../core/log-piece.ts'
import { reduceRun, type RunState } from '../core/run-state.ts'
import type { RunPage } from '../core/run-store.ts'
import type { Steering } from '../core/steering.ts'
import type { TraceContext } from '../core/trace.ts'
import { deliveriesOf, type Webhook } from './webhook.ts'
import type { Ended, EventWriter, WrittenRun } from './event-writer.ts'
import { LiveReader, type ReadableRun } from './live-reader.ts'
import { checkSteering, RunSteering } from './steering.ts'

/** The time as ISO 8601. Under load many events fall into one millisecond, and making the text costs more than the event. */
let lastTime = { at: 0, text: '' }
const timestamp = (): string => {
  const at = Date.now()
  if (at !== lastTime.at) lastTime = { at, text: new Date(at).toISOString() }
  return lastTime.text
}

export class LiveRun implements WrittenRun {
  readonly id: string
  readonly owner: string
  /** Aborted when the run has to end: by its caller, its deadline, or because it is over. */
  readonly controller = new AbortController()
  readonly #writer: EventWriter
  readonly #webhook: Webhook | undefined
  readonly #trace: TraceContext | undefined
  /** The log, as it is stored and sent. */
  readonly #texts: string[] = []
  #waiters = new Set<() => void>()
  /** Resolves when the terminal event may be shown. */
  readonly finished: Promise<void>
  #finish = (): void => undefined
  /** Resolves when the run, which has ended, need not be kept in memory any more. */
  readonly released: Promise<void>
  /** Called by the writer. */
  release = (): void => undefined
  #steering = new RunSteering({})
  #state: RunState | undefined
  #shown = 0
  #ended = false
  readonly #log: ReadableRun = {
    behind: (sequence) => this.#behind(sequence),
    endsAt: (sequence) => this.#ended && sequence >= this.#texts.length,
    onMore: (wake) => this.#waiters.add(wake),
    forget: (wake) => this.#waiters.delete(wake),
  }
  readonly #openedAt = performance.now()
  #firstTextAt: number | undefined
  #firstRevisionAt: string | undefined

  constructor(
    id: string,
    owner: string,
    writer: EventWriter,
    webhook?: Webhook,
    trace?: TraceContext,
  ) {
    this.id = id
    this.owner = owner
    this.#writer = writer
    this.#webhook = webhook
    this.#trace = trace
    this.finished = new Promise((resolve) => {
      this.#finish = resolve
    })
    this.released = new Promise((resolve) => {
      this.release = resolve
    })
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

  /** Seconds since it was made. */
  get age(): number {
    return (performance.now() - this.#openedAt) / 1000
  }

  get hasWebhook(): boolean {
    return this.#webhook !== undefined
  }

  /** The end of a run that has ended, as it is kept. */
  outcome(): Ended {
    const deliveries = deliveriesOf(this.#webhook, this.owner, this.state, this.#trace)
    return { state: this.state, deliveries }
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
    this.#texts.push(JSON.stringify(event))
    this.#shown = event.sequence
  }

  /**
   * Stamps the body with its envelope and appends it; behind the terminal event it does nothing. Gives something to
   * wait for only where the store lags behind.
   */
  append(body: StrategyEvent | RunnerEvent): Promise<void> | undefined {
    if (this.#ended) return this.#writer.room()
    const event = this.#stamp(body)
    this.#apply(event)
    const text = JSON.stringify(event)
    const after = this.#texts.push(text) - 1
    this.#writer.add(this, after, text, this.#ended ? this.outcome() : undefined)
    return this.#writer.room()
  }

  show(sequence: number): void {
    this.#shown = Math.max(this.#shown, sequence)
    const waiting = this.#waiters
    this.#waiters = new Set()
    for (const wake of waiting) wake()
    if (this.#ended && this.#shown === this.#texts.length) this.#finish()
  }

  /**
   * Tells what is asked as an event and takes it up.
   * @throws RefineError conflict, invalid_request: see `checkSteering`.
   */
  steer(steering: Steering): Promise<void> | undefined {
    checkSteering(this.state, steering)
    const told = this.append({ type: 'run.steered', steering })
    this.#steering.apply(steering)
    return told
  }

  /**
   * The stored events above `after`, and then each one as soon as it is stored: a reader never sees what a crash
   * could still take back, unless the store stays away. Ends after the terminal event or when the signal aborts.
   */
  read(after: number, signal: AbortSignal): AsyncGenerator<LogPiece, void, void> {
    return new LiveReader(this.#log, after, signal)
  }

  #stamp(body: StrategyEvent | RunnerEvent): RunEvent {
    const sequence = this.#texts.length + 1
    return { run_id: this.id, sequence, at: timestamp(), ...body }
  }

  #apply(event: RunEvent): void {
    this.#state = reduceRun(this.#state, event)
    if (event.type === 'candidate.delta') this.#firstTextAt ??= performance.now()
    if (event.type === 'answer.revised') this.#firstRevisionAt ??= event.at
    this.#ended = isTerminal(event)
  }

  #behind(sequence: number): LogPiece | undefined {
    if (sequence >= this.#shown) return undefined
    const texts = cutPiece(this.#texts, sequence, this.#shown)
    return { runId: this.id, after: sequence, texts }
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
