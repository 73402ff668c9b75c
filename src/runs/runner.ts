/** The run service: validates, admits, starts and keeps runs. */
import { randomBytes } from 'node:crypto'
import { RefineError, toRefineError } from '../core/errors.ts'
import type { RunState } from '../core/run-state.ts'
import type { FeedbackRecord, RequestKey, RunPage, RunStore } from '../core/run-store.ts'
import type { Steering } from '../core/steering.ts'
import type { Log } from '../core/strategy.ts'
import type { TraceContext } from '../core/trace.ts'
import { Admission, type Place } from './admission.ts'
import { createRunId, describeStrategy } from './created-records.ts'
import { drive } from './drive.ts'
import { countPrompt, estimateRun } from './estimate.ts'
import { enterRuns, waitForPlace } from './entrance.ts'
import { EventWriter } from './event-writer.ts'
import { FeedbackIntake } from './feedback-intake.ts'
import { LiveRun } from './live-run.ts'
import { ArmPlanner } from './assignment-plan.ts'
import { OutcomeRecorder } from './outcome-recorder.ts'
import { createdBody, type Parts, type Plan } from './plan.ts'
import { Quotas, type PolicyStatus } from './quotas.ts'
import { recoverRuns } from './recovery.ts'
import { RequestKeys, type ExpiringKey } from './request-keys.ts'
import { logWith } from './run-log.ts'
import { RunReader } from './run-reader.ts'
import type { RunnerOptions } from './runner-options.ts'
import type { RunRequest } from './run-request.ts'
import type {
  Estimate,
  FeedbackKey,
  FeedbackRow,
  ModelDescription,
  RunLoad,
  RunObserver,
  RunService,
  ServicePart,
  StrategyDescription,
} from './run-service.ts'
import { WebhookDispatcher } from './webhook-dispatcher.ts'
import { Stop } from './stop.ts'

export class Runner implements RunService {
  readonly #parts: Parts
  readonly #store: RunStore
  readonly #log: Log
  readonly #writer: EventWriter
  readonly #admission: Admission
  readonly #reader: RunReader
  readonly #keys: RequestKeys
  readonly #quotas: Quotas
  readonly #webhooks: WebhookDispatcher
  readonly #observers: RunObserver[] = []
  readonly #planner: ArmPlanner
  readonly #outcomes: OutcomeRecorder
  readonly #intake: FeedbackIntake
  readonly #live = new Map<string, LiveRun>()
  readonly #driving = new Set<Promise<void>>()
  /** The time that draining gave to runs has passed. */
  #isOver = false

  constructor(options: RunnerOptions) {
    const { parts, store, log, experiments } = options
    this.#parts = parts
    this.#planner = new ArmPlanner(parts, experiments, options.mayForce)
    this.#outcomes = new OutcomeRecorder(experiments, store, log)
    this.#store = store
    this.#log = log
    this.#writer = new EventWriter(store, log)
    this.#admission = new Admission(options.limits)
    this.#reader = new RunReader(store, this.#live, options.missing)
    this.#intake = new FeedbackIntake(store, this.#reader, this.#outcomes)
    this.#keys = new RequestKeys(store)
    this.#quotas = options.quotas ?? new Quotas(() => ({}))
    this.#webhooks =
      options.webhooks ??
      new WebhookDispatcher({ store: store.deliveries, secrets: [], allowPrivate: false, log })
  }

  create(request: RunRequest, owner: string, trace?: TraceContext): Promise<string> {
    return this.#create(request, owner, trace)
  }

  createOnce(request: RunRequest, owner: string, key: RequestKey, trace?: TraceContext) {
    return this.#keys.once(owner, key, (each) => this.#create(request, owner, trace, each))
  }

  async #create(request: RunRequest, owner: string, trace?: TraceContext, key?: ExpiringKey) {
    const plan: Plan = { ...(await this.#planner.plan(request, owner)), trace }
    const { webhook } = request
    if (webhook !== undefined) await this.#webhooks.check(webhook, owner)
    const live = new LiveRun(createRunId(), owner, this.#writer, webhook, trace)
    const place = enterRuns(this.#admission, this.#quotas, owner, live)
    const seed = plan.seed ?? randomBytes(4).readUInt32BE() >>> 1
    try {
      const created = live.open(createdBody(plan, seed))
      const storing = this.#store.create({ state: live.state, owner, request }, created, key)
      this.#track(storing)
      await storing
    } catch (cause) {
      live.controller.abort(cause) // gives up a place in the queue, too
      place.leave()
      throw cause
    }
    this.#live.set(live.id, live)
    if (this.#isOver) live.controller.abort(new Stop('cancelled'))
    this.#track(this.#run(plan, live, place, seed).catch(this.#failed))
    return live.id
  }

  get(id: string, owner: string): Promise<RunState> {
    return this.#reader.get(id, owner)
  }

  readonly list = (page: RunPage) => this.#reader.list(page)

  events(id: string, owner: string, after: number, signal: AbortSignal) {
    return this.#reader.events(id, owner, after, signal)
  }

  pieces(id: string, owner: string, after: number, signal: AbortSignal) {
    return this.#reader.pieces(id, owner, after, signal)
  }

  readonly ended = (id: string, owner: string, signal: AbortSignal) =>
    this.#reader.ended(id, owner, signal)

  async cancel(id: string, owner: string): Promise<RunState> {
    const live = this.#live.get(id)
    if (live === undefined) return this.get(id, owner)
    this.#reader.owned(live, owner).controller.abort(new Stop('cancelled'))
    return this.ended(id, owner, new AbortController().signal)
  }

  async remove(id: string, owner: string): Promise<void> {
    if ((await this.get(id, owner)).ended_at === null) {
      throw new RefineError('conflict', 'The run goes on: cancel it first.')
    }
    const live = this.#live.get(id)
    if (live !== undefined) await this.#store.check() // what waits for a store that is away would come behind this
    await live?.released
    await this.#store.remove(id)
  }

  async steer(id: string, owner: string, steering: Steering): Promise<RunState> {
    const live = this.#live.get(id)
    if (live === undefined) {
      await this.#reader.stored(id, owner)
      throw new RefineError('conflict', 'The run has ended.')
    }
    await this.#reader.owned(live, owner).steer(steering)
    if (steering.action !== 'accept') return live.state
    live.controller.abort(new Stop('accepted'))
    return this.ended(id, owner, new AbortController().signal)
  }

  async request(id: string, owner: string): Promise<RunRequest> {
    return (await this.#reader.stored(id, owner)).request as RunRequest
  }

  async estimate(request: RunRequest): Promise<Estimate> {
    return estimateRun(await this.#planner.plan(request, ''), this.#parts, this.#store)
  }

  readonly countTokens = async (request: RunRequest) =>
    countPrompt(await this.#planner.plan(request, ''))

  readonly addFeedback = (row: FeedbackRow, owner: string, key?: FeedbackKey) =>
    this.#intake.one(row, owner, key)

  readonly addFeedbackRows = (rows: readonly FeedbackRow[], owner: string, key?: FeedbackKey) =>
    this.#intake.many(rows, owner, key)

  async feedback(id: string, owner: string): Promise<readonly FeedbackRecord[]> {
    await this.get(id, owner)
    return this.#store.feedback(id)
  }

  strategies(): readonly StrategyDescription[] {
    return this.#parts.strategies.map(describeStrategy)
  }

  models(): readonly ModelDescription[] {
    return this.#parts.models.describe()
  }

  quota(owner: string): readonly PolicyStatus[] {
    return this.#quotas.status(owner)
  }

  readonly load = (): RunLoad => ({ ...this.#admission.load(), ...this.#writer.load })

  observe(observer: RunObserver): void {
    this.#observers.push(observer)
  }

  readonly ready = (part: ServicePart): Promise<void> =>
    part === 'database' ? this.#store.check() : this.#parts.models.ready()

  async drain(graceSeconds: number): Promise<void> {
    this.#admission.close()
    const stop = setTimeout(() => {
      this.#isOver = true
      for (const live of this.#live.values()) live.controller.abort(new Stop('cancelled'))
    }, graceSeconds * 1000)
    while (this.#driving.size > 0) await Promise.all(this.#driving)
    clearTimeout(stop)
    this.#outcomes.close()
    await this.#writer.close()
    await this.#webhooks.close()
  }

  /** Ends the runs that an earlier process left behind; resolves with their number. */
  async recover(): Promise<number> {
    const ended = await recoverRuns(this.#store, this.#writer)
    this.#webhooks.wake()
    await this.#outcomes.recover()
    return ended
  }

  async #run(plan: Plan, live: LiveRun, place: Place, seed: number): Promise<void> {
    try {
      await waitForPlace(plan, live, place)
      const log = logWith(this.#log, { run_id: live.id, trace_id: plan.trace?.traceId })
      const starting = () => this.#outcomes.exposed(live.id, plan)
      await drive(plan, live, this.#parts, seed, log, starting)
      await this.#outcomes.settled(live.state, live.firstRevisionAt)
    } finally {
      place.leave()
      if (live.ended) await live.finished
      void this.#release(live)
      for (const observer of this.#observers) observer.ended(live.state, live.firstTextSeconds)
    }
  }

  /** A run is read from memory until the store has it. */
  async #release(live: LiveRun): Promise<void> {
    if (live.ended) await live.released
    this.#live.delete(live.id)
    if (live.hasWebhook) this.#webhooks.wake()
  }

  readonly #failed = (cause: unknown): void =>
    this.#log.error({ err: toRefineError(cause).cause ?? cause }, 'a run could not be driven')

  /** Draining waits for the work, however it ends. */
  #track(work: Promise<void>): void {
    const tracked = work.catch(() => undefined)
    this.#driving.add(tracked)
    void tracked.then(() => this.#driving.delete(tracked))
  }
}
