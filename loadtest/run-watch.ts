/** Times one run by its events, and checks that the stream keeps its promises. */

export interface StreamEvent {
  readonly type: string
  readonly sequence: number
  /** When the server made it, ISO 8601 with milliseconds. */
  readonly at?: string
}

export interface RunTiming {
  /** Milliseconds from the request on; undefined where the event never came. */
  readonly firstEvent: number | undefined
  readonly firstRevision: number | undefined
  readonly end: number | undefined
  readonly events: number
  /** Milliseconds from the making of each event to its arrival; both ends have the same clock. */
  readonly delays: readonly number[]
  /** When each event came, on the clock of `performance`. */
  readonly arrivals: readonly number[]
  /** What was wrong, undefined for a run that completed with a gapless stream. */
  readonly error: string | undefined
}

/** Many events were made in one millisecond, and the text takes longer to read than all else. */
let lastRead = { at: '', time: 0 }
const timeOf = (at: string): number => {
  if (at !== lastRead.at) lastRead = { at, time: Date.parse(at) }
  return lastRead.time
}

const TERMINAL = ['run.completed', 'run.failed', 'run.cancelled']

export class RunWatch {
  readonly #start = performance.now()
  #firstEvent: number | undefined
  #firstRevision: number | undefined
  #end: number | undefined
  readonly #delays: number[] = []
  readonly #arrivals: number[] = []
  #events = 0
  #error: string | undefined

  /** Whether the terminal event has come. */
  get hasEnded(): boolean {
    return this.#end !== undefined
  }

  see(event: StreamEvent): void {
    const now = performance.now()
    const at = now - this.#start
    this.#arrivals.push(now)
    this.#events++
    if (event.at !== undefined) this.#delays.push(Date.now() - timeOf(event.at))
    this.#firstEvent ??= at
    if (event.type === 'answer.revised') this.#firstRevision ??= at
    if (this.hasEnded) this.fail(`${event.type} came after the end`)
    if (event.sequence !== this.#events)
      this.fail(`event ${event.sequence} came in the place of ${this.#events}`)
    if (!TERMINAL.includes(event.type)) return
    this.#end = at
    if (event.type !== 'run.completed') this.fail(event.type)
  }

  /** Keeps the first thing that went wrong. */
  fail(reason: string): void {
    this.#error ??= reason
  }

  timing(): RunTiming {
    return {
      firstEvent: this.#firstEvent,
      firstRevision: this.#firstRevision,
      end: this.#end,
      events: this.#events,
      delays: this.#delays,
      arrivals: this.#arrivals,
      error: this.#error ?? (this.hasEnded ? undefined : 'the stream ended before the run did'),
    }
  }
}
