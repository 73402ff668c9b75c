/** Writes the events of all runs to the store in groups: one transaction for whatever came up meanwhile. */
import { parseEvent, PIECE_EVENTS, type LogPiece } from '../core/log-piece.ts'
import type { RunState } from '../core/run-state.ts'
import type { Delivery, RunStore } from '../core/run-store.ts'
import type { Log } from '../core/strategy.ts'
import { StorePatience } from './store-patience.ts'

/** How a run ended, and what has to be told of it outside. */
export interface Ended {
  readonly state: RunState
  readonly deliveries: readonly Delivery[]
}

/** Whose events are written. */
export interface WrittenRun {
  readonly id: string
  /** Called when all up to this sequence may be shown: it is durable, or the store stays away. */
  show(sequence: number): void
  /** Called when the store has taken or refused all of the run, which has ended. */
  release(): void
}

/** What one run has to store. */
interface Part {
  readonly run: WrittenRun
  readonly after: number
  readonly texts: readonly string[]
  /** The final state, with the terminal event. */
  readonly final: Ended | undefined
}

/** How the store keeps up, for operators. */
export interface WriterLoad {
  /** Events that wait for it. */
  readonly unstored: number
  /** How often it was asked again. */
  readonly storeRetries: number
  /** Events that it never took. */
  readonly lostEvents: number
}

/**
 * Events that may wait for the store before runs are held back. When it stays away they go on: what waits then is bounded
 * by the runs there are, for none begins without the store.
 */
const MOST_WAITING = 20_000

/** A group of so many events means load: a transaction costs as much as many events. */
const BUSY_GROUP = 16
const BUSY_PAUSE_MS = 5

const piecesOf = ({ run, after, texts }: Part): LogPiece[] => {
  const pieces: LogPiece[] = []
  for (let at = 0; at < texts.length; at += PIECE_EVENTS) {
    pieces.push({ runId: run.id, after: after + at, texts: texts.slice(at, at + PIECE_EVENTS) })
  }
  return pieces
}

const countOf = (parts: readonly Part[]): number =>
  parts.reduce((sum, { texts }) => sum + texts.length, 0)

const endOf = ({ after, texts }: Part): number => after + texts.length

export class EventWriter {
  readonly #store: RunStore
  readonly #log: Log
  readonly #patience: StorePatience
  #waiting = new Map<WrittenRun, Part & { readonly texts: string[]; final: Ended | undefined }>()
  /** Events that wait. */
  #count = 0
  /** What the store is asked to take. */
  #group: readonly Part[] = []
  /** Where logs broke off, by a refusal: nothing but the end of the run may follow, for a log has no gaps. */
  readonly #broken = new WeakMap<WrittenRun, number>()
  #lost = 0
  /** Resolves when nothing waits any more, or the store stays away. */
  #flushing: Promise<void> | undefined
  #goOn = (): void => undefined
  #lastCount = 0
  /** When the last group was taken, by `performance.now()`. */
  #lastTaken = 0

  constructor(store: RunStore, log: Log) {
    this.#store = store
    this.#log = log
    this.#patience = new StorePatience(log, 'events', () => this.#leave())
  }

  get load(): WriterLoad {
    const unstored = this.#count + countOf(this.#group)
    return { unstored, storeRetries: this.#patience.retries, lostEvents: this.#lost }
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
    if (this.#patience.isAway) run.show(after + 1)
    this.#flushing ??= new Promise((resolve) => {
      this.#goOn = resolve
      void this.#flush().then(resolve)
    })
  }

  /** Undefined while the store keeps up or stays away, else what resolves when the present queue is written. */
  room(): Promise<void> | undefined {
    const isFree = this.#count < MOST_WAITING || this.#patience.isAway
    return isFree ? undefined : this.#flushing
  }

  /** Resolves when everything queued so far is durable, or the store stays away. */
  async idle(): Promise<void> {
    while (this.#flushing !== undefined && !this.#patience.isAway) await this.#flushing
  }

  /** As `idle`; what waits even then is lost, and the next start ends its runs. */
  async close(): Promise<void> {
    await this.idle()
    this.#patience.giveUp()
    const left = [...this.#group, ...this.#waiting.values()]
    this.#group = []
    this.#waiting.clear()
    this.#count = 0
    if (left.length === 0) return
    this.#lost += countOf(left)
    this.#log.error({ runs: left.map(({ run }) => run.id) }, 'events could not be stored')
  }

  async #flush(): Promise<void> {
    while (this.#count > 0) {
      await this.#gather()
      this.#group = [...this.#waiting.values()]
      this.#waiting = new Map()
      this.#lastCount = this.#count
      this.#lastTaken = performance.now()
      this.#count = 0
      await this.#write(this.#group)
      for (const part of this.#group) {
        if (part.final !== undefined) part.run.release()
        part.run.show(endOf(part))
      }
      this.#group = []
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

  /** The store stays away: readers go on from memory. */
  #leave(): void {
    for (const part of [...this.#group, ...this.#waiting.values()]) part.run.show(endOf(part))
    this.#goOn()
  }

  /** A store that refuses something must not stop the runs: it is told, and readers go on from memory. */
  async #write(parts: readonly Part[]): Promise<void> {
    const sound = parts.filter(({ run }) => !this.#broken.has(run))
    const whole = new Set(await this.#done(sound, this.#append))
    const lost = parts.filter((part) => !whole.has(part))
    for (const { run, after } of lost) if (!this.#broken.has(run)) this.#broken.set(run, after)
    const ends = await this.#done(
      lost.filter(({ final }) => final !== undefined).map((part) => this.#shortened(part)),
      this.#append,
    )
    this.#lost += countOf(lost) - ends.length
    const ended = [...whole, ...ends].filter(({ final }) => final !== undefined)
    await this.#done(ended, this.#finish)
  }

  /** The end of a run right behind what is stored of it, so that whoever reads its log comes to an end. */
  #shortened({ run, texts, final }: Part): Part {
    const after = this.#broken.get(run)!
    const sequence = after + 1
    const end = JSON.stringify({ ...parseEvent(texts.at(-1)!), sequence })
    const state = { ...final!.state, last_sequence: sequence }
    return { run, after, texts: [end], final: { ...final!, state } }
  }

  /** The parts that the store took; where it refuses several together, each is handed in by itself. */
  async #done(
    parts: readonly Part[],
    work: (parts: readonly Part[], again: boolean) => Promise<void>,
    again = false,
  ): Promise<readonly Part[]> {
    if (parts.length === 0) return []
    try {
      await this.#patience.insist((isNext) => work(parts, again || isNext))
      return parts
    } catch (cause) {
      if (parts.length === 1) {
        this.#log.error({ err: cause, run_id: parts[0]!.run.id }, 'a run could not be stored')
        return []
      }
    }
    const done: Part[] = []
    for (const part of parts) done.push(...(await this.#done([part], work, true)))
    return done
  }

  readonly #append = (parts: readonly Part[], again: boolean): Promise<void> =>
    this.#store.append(parts.flatMap(piecesOf), again)

  readonly #finish = async (parts: readonly Part[]): Promise<void> => {
    await Promise.all(parts.map(({ final }) => this.#store.finish(final!.state, final!.deliveries)))
  }
}
