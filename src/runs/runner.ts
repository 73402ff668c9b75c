/** The run service: validates, admits, starts and keeps runs. */
import { randomBytes } from 'node:crypto'
import { RefineError, toRefineError } from '../core/errors.ts'
import type { RunEvent } from '../core/event.ts'
import type { RunState } from '../core/run-state.ts'
import type { FeedbackRecord, RunPage, RunRecord, RunStore } from '../core/run-store.ts'
import type { Log } from '../core/strategy.ts'
import type { Experiments } from '../experiments/experiments.ts'
import { Admission, type Place } from './admission.ts'
import { drive, Stop } from './drive.ts'
import { estimateRun } from './estimate.ts'
import { EventWriter } from './event-writer.ts'
import { LiveRun } from './live-run.ts'
import { ArmPlanner } from './assignment-plan.ts'
import { OutcomeRecorder } from './outcome-recorder.ts'
import type { Parts, Plan } from './plan.ts'
import { recoverRuns, storedEvents } from './recovery.ts'
import type { RunRequest } from './run-request.ts'
import type {
  Estimate,
  FeedbackInput,
  ModelDescription,
  RunService,
  StrategyDescription,
} from './run-service.ts'

const MOST_LISTED = 100

/** `run_` and a name that sorts by time of creation. */
const createRunId = (): string =>
  `run_${Date.now().toString(36).padStart(9, '0')}${randomBytes(9).toString('hex')}`

const notFound = (id: string): RefineError =>
  new RefineError('run_not_found', `There is no run "${id}".`)

export interface RunnerOptions {
  readonly parts: Parts
  readonly store: RunStore
  readonly log: Log
  readonly limits: { readonly running: number; readonly waiting: number }
  /** Without them a request that names one is refused. */
  readonly experiments?: Experiments
  /** Whether the owner may choose the arm of an experiment. */
  readonly mayForce?: (owner: string) => boolean
}

export class Runner implements RunService {
  readonly #parts: Parts
  readonly #store: RunStore
  readonly #log: Log
  readonly #writer: EventWriter
  readonly #admission: Admission
  readonly #planner: ArmPlanner
  readonly #outcomes: OutcomeRecorder
  readonly #live = new Map<string, LiveRun>()
  readonly #driving = new Set<Promise<void>>()

  constructor({ parts, store, log, limits, experiments, mayForce }: RunnerOptions) {
    this.#parts = parts
    this.#planner = new ArmPlanner(parts, experiments, mayForce)
    this.#outcomes = new OutcomeRecorder(experiments, store, log)
    this.#store = store
    this.#log = log
    this.#writer = new EventWriter(store, log)
    this.#admission = new Admission(limits)
  }

  async create(request: RunRequest, owner: string): Promise<string> {
    const plan = await this.#planner.plan(request, owner)
    const live = new LiveRun(createRunId(), owner, this.#writer)
    const place = this.#admission.enter(live.controller.signal)
    const seed = plan.seed ?? randomBytes(4).readUInt32BE() >>> 1
    try {
      const created = live.open({
        type: 'run.created',
        strategy: plan.strategy.name,
        options: plan.options,
        model: plan.model.id,
        models: plan.modelIds,
        budget: plan.budget,
        seed,
        assignment: plan.assigned?.assignment ?? null,
        metadata: plan.metadata,
      })
      await this.#store.create({ state: live.state, owner, request }, created)
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
    if (page.status === 'queued' || page.status === 'running') return this.#listLive(page, limit)
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

  async estimate(request: RunRequest): Promise<Estimate> {
    return estimateRun(await this.#planner.plan(request, ''), this.#parts, this.#store)
  }

  async addFeedback(id: string, owner: string, feedback: FeedbackInput): Promise<FeedbackRecord> {
    await this.get(id, owner)
    const outcome = await this.#outcomes.reported(id, feedback)
    const record: FeedbackRecord = {
      id: `feedback_${randomBytes(12).toString('hex')}`,
      run_id: id,
      at: new Date().toISOString(),
      ...feedback,
    }
    await this.#store.addFeedback(record)
    await this.#outcomes.record(outcome)
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
  async recover(): Promise<number> {
    const ended = await recoverRuns(this.#store, this.#writer)
    await this.#outcomes.recover()
    return ended
  }

  /** Runs that have not ended are all in memory, and no more than admission lets in. */
  #listLive({ owner, status, order, after, before }: RunPage, limit: number) {
    const [from, to] = order === 'asc' ? [after, before] : [before, after]
    const matching = [...this.#live.values()]
      .filter((live) => live.owner === owner && live.state.status === status)
      .filter(({ id }) => (from === undefined || id > from) && (to === undefined || id < to))
      .map(({ state }) => state)
      .toSorted((left, right) => (left.id < right.id ? -1 : 1))
    if (order === 'desc') matching.reverse()
    return { runs: matching.slice(0, limit), hasMore: matching.length > limit }
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
      const starting = () => this.#outcomes.exposed(live.id, plan)
      await drive(plan, live, this.#parts, seed, log, starting)
      await this.#outcomes.settled(live.state, live.firstRevisionAt)
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
