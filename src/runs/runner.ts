/** The run service: validates, admits, starts and keeps runs. */
import { randomBytes } from 'node:crypto'
import { RefineError, toRefineError } from '../core/errors.ts'
import type { RunEvent } from '../core/event.ts'
import type { RunState } from '../core/run-state.ts'
import type { FeedbackRecord, RequestKey, RunPage, RunRecord, RunStore } from '../core/run-store.ts'
import type { Steering } from '../core/steering.ts'
import type { Log } from '../core/strategy.ts'
import { Admission, type Place } from './admission.ts'
import { createRunId, feedbackRecord } from './created-records.ts'
import { drive, Stop } from './drive.ts'
import { estimateRun } from './estimate.ts'
import { EventWriter } from './event-writer.ts'
import { listLive, LiveRun } from './live-run.ts'
import { createdBody, planRun, type Parts, type Plan } from './plan.ts'
import { recoverRuns, storedEvents } from './recovery.ts'
import { RequestKeys, type CreatedRun, type ExpiringKey } from './request-keys.ts'
import type { RunRequest } from './run-request.ts'
import type {
  Estimate,
  FeedbackInput,
  ModelDescription,
  RunService,
  StrategyDescription,
} from './run-service.ts'

const MOST_LISTED = 100

const notFound = (id: string): RefineError =>
  new RefineError('run_not_found', `There is no run "${id}".`)

export interface RunnerOptions {
  readonly parts: Parts
  readonly store: RunStore
  readonly log: Log
  readonly limits: { readonly running: number; readonly waiting: number }
}

export class Runner implements RunService {
  readonly #parts: Parts
  readonly #store: RunStore
  readonly #log: Log
  readonly #writer: EventWriter
  readonly #admission: Admission
  readonly #keys: RequestKeys
  readonly #live = new Map<string, LiveRun>()
  readonly #driving = new Set<Promise<void>>()

  constructor({ parts, store, log, limits }: RunnerOptions) {
    this.#parts = parts
    this.#store = store
    this.#log = log
    this.#writer = new EventWriter(store, log)
    this.#admission = new Admission(limits)
    this.#keys = new RequestKeys(store)
  }

  create(request: RunRequest, owner: string): Promise<string> {
    return this.#create(request, owner)
  }

  createOnce(request: RunRequest, owner: string, key: RequestKey): Promise<CreatedRun> {
    return this.#keys.once(owner, key, (expiring) => this.#create(request, owner, expiring))
  }

  async #create(request: RunRequest, owner: string, key?: ExpiringKey): Promise<string> {
    const plan = planRun(request, this.#parts)
    const live = new LiveRun(createRunId(), owner, this.#writer)
    const place = this.#admission.enter(live.controller.signal)
    const seed = plan.seed ?? randomBytes(4).readUInt32BE() >>> 1
    try {
      const created = live.open(createdBody(plan, seed))
      await this.#store.create({ state: live.state, owner, request }, created, key)
    } catch (cause) {
      place.leave()
      throw cause
    }
    this.#live.set(live.id, live)
    this.#track(this.#run(plan, live, place, seed))
    return live.id
  }

  async get(id: string, owner: string): Promise<RunState> {
    const live = this.#live.get(id)
    if (live !== undefined) return this.#owned(live, owner).state
    return (await this.#stored(id, owner)).state
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
    const live = this.#live.get(id)
    if (live !== undefined) {
      yield* this.#owned(live, owner).read(after, signal)
      return
    }
    await this.#stored(id, owner)
    for await (const event of storedEvents(this.#store, id, after)) {
      if (signal.aborted) return
      yield event
    }
  }

  async ended(id: string, owner: string, signal: AbortSignal): Promise<RunState> {
    const live = this.#live.get(id)
    if (live === undefined) return this.get(id, owner)
    for await (const event of this.#owned(live, owner).read(live.state.last_sequence, signal)) {
      void event
    }
    signal.throwIfAborted()
    return live.state
  }

  async cancel(id: string, owner: string): Promise<RunState> {
    const live = this.#live.get(id)
    if (live === undefined) return this.get(id, owner)
    this.#owned(live, owner).controller.abort(new Stop('cancelled'))
    return this.ended(id, owner, new AbortController().signal)
  }

  async request(id: string, owner: string): Promise<RunRequest> {
    return (await this.#stored(id, owner)).request as RunRequest
  }

  async remove(id: string, owner: string): Promise<void> {
    if ((await this.get(id, owner)).ended_at === null) {
      throw new RefineError('conflict', 'The run goes on: cancel it first.')
    }
    await this.#writer.idle()
    this.#live.delete(id)
    await this.#store.remove(id)
  }

  async steer(id: string, owner: string, steering: Steering): Promise<RunState> {
    const live = this.#live.get(id)
    if (live === undefined) {
      await this.#stored(id, owner)
      throw new RefineError('conflict', 'The run has ended.')
    }
    await this.#owned(live, owner).steer(steering)
    if (steering.action !== 'accept') return live.state
    live.controller.abort(new Stop('accepted'))
    return this.ended(id, owner, new AbortController().signal)
  }

  estimate(request: RunRequest): Promise<Estimate> {
    return estimateRun(planRun(request, this.#parts), this.#parts, this.#store)
  }

  async addFeedback(id: string, owner: string, feedback: FeedbackInput): Promise<FeedbackRecord> {
    await this.get(id, owner)
    const record = feedbackRecord(id, feedback)
    await this.#store.addFeedback(record)
    return record
  }

  async feedback(id: string, owner: string): Promise<readonly FeedbackRecord[]> {
    await this.get(id, owner)
    return this.#store.feedback(id)
  }

  strategies(): readonly StrategyDescription[] {
    return this.#parts.strategies.map(
      ({ name, description, feedback, requires, source, options }) =>
        ({ name, description, feedback, requires, source, options }) satisfies StrategyDescription,
    )
  }

  models(): readonly ModelDescription[] {
    return this.#parts.models.describe()
  }

  ready(): Promise<void> {
    return this.#parts.models.ready()
  }

  async drain(graceSeconds: number): Promise<void> {
    this.#admission.close()
    const stop = setTimeout(() => {
      for (const live of this.#live.values()) live.controller.abort(new Stop('cancelled'))
    }, graceSeconds * 1000)
    while (this.#driving.size > 0) await Promise.all(this.#driving)
    clearTimeout(stop)
    await this.#writer.idle()
  }

  /** Ends the runs that an earlier process left behind; resolves with their number. */
  recover(): Promise<number> {
    return recoverRuns(this.#store, this.#writer)
  }

  async #run(plan: Plan, live: LiveRun, place: Place, seed: number): Promise<void> {
    const { signal } = live.controller
    try {
      await new Promise<void>((resolve) => {
        void place.admitted.then(resolve)
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      const log = this.#log
      await drive(plan, live, this.#parts, seed, log)
    } finally {
      place.leave()
      await this.#writer.idle()
      this.#live.delete(live.id)
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch((cause: unknown) => {
      this.#log.error({ err: toRefineError(cause).cause ?? cause }, 'a run could not be driven')
    })
    this.#driving.add(tracked)
    void tracked.then(() => this.#driving.delete(tracked))
  }

  #owned(live: LiveRun, owner: string): LiveRun {
    if (live.owner !== owner) throw notFound(live.id)
    return live
  }

  async #stored(id: string, owner: string): Promise<RunRecord> {
    const record = await this.#store.read(id)
    if (record === undefined || record.owner !== owner) throw notFound(id)
    return record
  }
}
