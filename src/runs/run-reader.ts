/** Reads runs, wherever they are: in memory while they go on, in the store afterwards. */
import { RefineError } from '../core/errors.ts'
import type { RunEvent } from '../core/event.ts'
import { cutPiece, parseEvent, type LogPiece } from '../core/log-piece.ts'
import type { RunState } from '../core/run-state.ts'
import type { RunPage, RunRecord, RunStore } from '../core/run-store.ts'
import { listLive, type LiveRun } from './live-run.ts'
import { orAbort } from './or-abort.ts'
import { storedPages } from './recovery.ts'

const MOST_LISTED = 100

/** The error for a run that is not there, or not for the caller. */
export type MissingRun = (id: string) => RefineError

export const notFound: MissingRun = (id) =>
  new RefineError('run_not_found', `There is no run "${id}".`)

/** Events that follow one another. */
function* inPieces(
  runId: string,
  events: readonly RunEvent[],
  signal: AbortSignal,
): Generator<LogPiece, void, void> {
  const before = events[0]!.sequence - 1
  const all = events.map((event) => JSON.stringify(event))
  for (let at = 0; at < all.length && !signal.aborted;) {
    const texts = cutPiece(all, at, all.length)
    yield { runId, after: before + at, texts }
    at += texts.length
  }
}

export class RunReader {
  readonly #store: RunStore
  readonly #live: ReadonlyMap<string, LiveRun>
  readonly #missing: MissingRun

  constructor(store: RunStore, live: ReadonlyMap<string, LiveRun>, missing: MissingRun = notFound) {
    this.#store = store
    this.#live = live
    this.#missing = missing
  }

  async get(id: string, owner: string): Promise<RunState> {
    const live = this.#live.get(id)
    if (live !== undefined) return this.owned(live, owner).state
    return (await this.stored(id, owner)).state
  }

  async list(
    page: RunPage,
  ): Promise<{ readonly runs: readonly RunState[]; readonly hasMore: boolean }> {
    const limit = Math.min(page.limit, MOST_LISTED)
    if (page.status === 'queued' || page.status === 'running')
      return listLive(this.#live.values(), page, limit)
    const { runs, hasMore } = await this.#store.list({ ...page, limit })
    return { runs: runs.map((stored) => this.#live.get(stored.id)?.state ?? stored), hasMore }
  }

  async *events(
    id: string,
    owner: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<RunEvent, void, void> {
    for await (const { texts } of this.pieces(id, owner, after, signal)) {
      for (const text of texts) {
        if (signal.aborted) return
        yield parseEvent(text)
      }
    }
  }

  pieces(
    id: string,
    owner: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<LogPiece, void, void> {
    const live = this.#live.get(id)
    // For somebody else's run the store's answer, that there is none, comes with the first event.
    return live?.owner === owner ? live.read(after, signal) : this.#kept(id, owner, after, signal)
  }

  async *#kept(
    id: string,
    owner: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<LogPiece, void, void> {
    const { state } = await this.stored(id, owner)
    const [first] = await this.#store.events(id, 0, 1)
    if (first?.sequence !== 1) {
      throw new RefineError('run_expired', `The events of run "${id}" are no longer kept.`)
    }
    if (after >= state.last_sequence) return
    for await (const page of storedPages(this.#store, id, after)) {
      if (signal.aborted) return
      yield* inPieces(id, page, signal)
    }
  }

  async ended(id: string, owner: string, signal: AbortSignal): Promise<RunState> {
    const live = this.#live.get(id)
    if (live === undefined) return this.get(id, owner)
    await orAbort(this.owned(live, owner).finished, signal)
    return live.state
  }

  /** The same run. @throws RefineError run_not_found for someone else's. */
  owned(live: LiveRun, owner: string): LiveRun {
    if (live.owner !== owner) throw notFound(live.id)
    return live
  }

  /** Errors for those of the runs that are not there, or not for the caller. */
  async missing(ids: readonly string[], owner: string): Promise<ReadonlyMap<string, RefineError>> {
    const distinct = [...new Set(ids)]
    const owners = await this.#store.owners(distinct.filter((id) => !this.#live.has(id)))
    const isOwned = (id: string): boolean => (this.#live.get(id)?.owner ?? owners.get(id)) === owner
    return new Map(distinct.filter((id) => !isOwned(id)).map((id) => [id, this.#missing(id)]))
  }

  /** What is kept of the run. @throws RefineError run_not_found */
  async stored(id: string, owner: string): Promise<RunRecord> {
    const record = await this.#store.read(id)
    if (record === undefined || record.owner !== owner) throw this.#missing(id)
    return record
  }
}
