/** Writes the events of all runs to the store in groups: one transaction for whatever came up meanwhile. */
import type { RunEvent } from '../core/event.ts'
import type { RunState } from '../core/run-state.ts'
import type { Delivery, RunStore } from '../core/run-store.ts'
import type { Log } from '../core/strategy.ts'

/** How a run ended, and what has to be told of it outside. */
export interface Ended {
  readonly state: RunState
  readonly deliveries: readonly Delivery[]
}

interface Entry {
  readonly event: RunEvent
  /** The final state, with the terminal event. */
  readonly final: Ended | undefined
  readonly stored: () => void
}

/** Events that may wait for the store before runs are held back. */
const MOST_WAITING = 20_000
/** One promise for all: it is asked for with each event. */
const ROOM = Promise.resolve()

/** A group of so many events means load: a transaction costs as much as many events. */
const BUSY_GROUP = 16
const BUSY_PAUSE_MS = 5

export class EventWriter {
  readonly #store: RunStore
  readonly #log: Log
  #waiting: Entry[] = []
  #flushing: Promise<void> | undefined
  #lastGroup = 0

  constructor(store: RunStore, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** Queues an event; `stored` is called when it is durable, in order. */
  add(event: RunEvent, final: Ended | undefined, stored: () => void): void {
    this.#waiting.push({ event, final, stored })
    this.#flushing ??= this.#flush()
  }

  /** Resolves at once while the store keeps up, else when the present queue is written. */
  room(): Promise<void> {
    return this.#waiting.length < MOST_WAITING ? ROOM : (this.#flushing ?? ROOM)
  }

  /** Resolves when everything queued so far is durable. */
  async idle(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#gather()
      const group = this.#waiting
      this.#waiting = []
      this.#lastGroup = group.length
      await this.#write(group)
      for (const { stored } of group) stored()
    }
    this.#flushing = undefined
  }

  /** One turn of the event loop gathers what several runs append at the same time; under load, a few milliseconds do. */
  #gather(): Promise<void> {
    const isBusy = this.#lastGroup >= BUSY_GROUP
    return new Promise((resolve) => {
      if (isBusy) setTimeout(resolve, BUSY_PAUSE_MS)
      else setImmediate(resolve)
    })
  }

  /** A store that fails must not stop the runs: the failure is logged, readers go on from memory. */
  async #write(group: readonly Entry[]): Promise<void> {
    try {
      await this.#store.append(group.map(({ event }) => event))
      const ended = group.flatMap(({ final }) => final ?? [])
      await Promise.all(ended.map((each) => this.#store.finish(each.state, each.deliveries)))
    } catch (cause) {
      const runs = [...new Set(group.map(({ event }) => event.run_id))]
      this.#log.error({ err: cause, runs }, 'events could not be stored')
    }
  }
}
