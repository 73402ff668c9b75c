/** Writes the events of all runs to the store in groups: one transaction for whatever came up meanwhile. */
import { PIECE_EVENTS, type LogPiece } from '../core/log-piece.ts'
import type { RunState } from '../core/run-state.ts'
import type { Delivery, RunStore } from '../core/run-store.ts'
import type { Log } from '../core/strategy.ts'

/** How a run ended, and what has to be told of it outside. */
export interface Ended {
  readonly state: RunState
  readonly deliveries: readonly Delivery[]
}

/** Whose events are written. */
export interface WrittenRun {
  readonly id: string
  /** Called when all up to this sequence is durable. */
  stored(sequence: number): void
}

/** What one run has to store. */
interface Part {
  readonly run: WrittenRun
  readonly after: number
  readonly texts: string[]
  /** The final state, with the terminal event. */
  final: Ended | undefined
}

/** Events that may wait for the store before runs are held back. */
const MOST_WAITING = 20_000

/** A group of so many events means load: a transaction costs as much as many events. */
const BUSY_GROUP = 16
const BUSY_PAUSE_MS = 5

/**
 * Milliseconds before each further try to store a group: a database that starts again loses nothing. As long, nobody
 * hears of the events.
 */
const PAUSES: readonly number[] = [100, 400, 1500, 4000, 9000]

const piecesOf = ({ run, after, texts }: Part): LogPiece[] => {
  const pieces: LogPiece[] = []
  for (let at = 0; at < texts.length; at += PIECE_EVENTS) {
    pieces.push({ runId: run.id, after: after + at, texts: texts.slice(at, at + PIECE_EVENTS) })
  }
  return pieces
}

export class EventWriter {
  readonly #store: RunStore
  readonly #log: Log
  #waiting = new Map<WrittenRun, Part>()
  #count = 0
  #flushing: Promise<void> | undefined
  #lastCount = 0
  /** When the last group was taken, by `performance.now()`. */
  #lastTaken = 0

  /** Runs of which events were lost. What came behind them would stand at a wrong place. */
  readonly #cut = new WeakSet<WrittenRun>()
  /** Undefined when the last group was stored. */
  #fault: unknown

  constructor(store: RunStore, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** Queues the event behind the sequence `after`, as text; `final` comes with the last one of its run. */
  add(run: WrittenRun, after: number, text: string, final: Ended | undefined): void {
    const part = this.#waiting.get(run)
    if (part === undefined) this.#waiting.set(run, { run, after, texts: [text], final })
    else {
      part.texts.push(text)
      part.final = final
    }
    this.#count++
    this.#flushing ??= this.#flush()
  }

  /** Undefined while the store keeps up, else what resolves when the present queue is written. */
  room(): Promise<void> | undefined {
    return this.#count < MOST_WAITING ? undefined : this.#flushing
  }

  /** Resolves when everything queued so far is durable. */
  async idle(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }

  async #flush(): Promise<void> {
    while (this.#count > 0) {
      await this.#gather()
      const parts = [...this.#waiting.values()]
      this.#waiting = new Map()
      this.#lastCount = this.#count
      this.#lastTaken = performance.now()
      this.#count = 0
      await this.#write(parts)
      for (const { run, after, texts } of parts) run.stored(after + texts.length)
    }
    this.#flushing = undefined
  }

  /**
   * One turn of the event loop gathers what several runs append at the same time; under load, a few milliseconds do, of
   * which those that the last group took to write are over.
   */
  #gather(): Promise<void> {
    const pause = this.#lastTaken + BUSY_PAUSE_MS - performance.now()
    const isBusy = this.#lastCount >= BUSY_GROUP && pause >= 1
    return new Promise((resolve) => {
      if (isBusy) setTimeout(resolve, pause)
      else setImmediate(resolve)
    })
  }

  /** A store that goes on failing must not stop the runs: the loss is logged, readers go on from memory. */
  async #write(parts: readonly Part[]): Promise<void> {
    // One that has failed for so long already is tried once.
    const pauses = this.#fault === undefined ? PAUSES : []
    this.#fault = await this.#tried(parts, false)
    for (const milliseconds of pauses) {
      if (this.#fault === undefined) return
      this.#log.warn({ err: this.#fault }, 'events could not be stored yet')
      await new Promise((resolve) => setTimeout(resolve, milliseconds))
      this.#fault = await this.#tried(parts, true)
    }
    if (this.#fault === undefined) return
    for (const { run } of parts) this.#cut.add(run)
    const runs = parts.map(({ run }) => run.id)
    this.#log.error({ err: this.#fault, runs }, 'events could not be stored')
  }

  /** What went wrong. What a failed try has stored after all is stored once. */
  async #tried(parts: readonly Part[], again: boolean): Promise<unknown> {
    try {
      const whole = parts.filter(({ run }) => !this.#cut.has(run))
      await this.#store.append(whole.flatMap(piecesOf), again)
      const ended = parts.flatMap(({ final }) => final ?? [])
      await Promise.all(ended.map((each) => this.#store.finish(each.state, each.deliveries)))
      return undefined
    } catch (cause) {
      return cause
    }
  }
}
