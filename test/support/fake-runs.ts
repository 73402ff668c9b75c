/** A run service in memory, for tests of the transport: what happens in a run is a script of event bodies. */
import { setTimeout as delay } from 'node:timers/promises'
import type { RunEvent, RunnerEvent, StrategyEvent, Usage } from '../../src/core/event.ts'
import { isTerminal } from '../../src/core/event.ts'
import { RefineError } from '../../src/core/errors.ts'
import type { LogPiece } from '../../src/core/log-piece.ts'
import type { CapabilityRecord } from '../../src/core/language-model.ts'
import { CAPABILITIES } from '../../src/core/language-model.ts'
import { emptyUsage, foldRun, type RunState } from '../../src/core/run-state.ts'
import type { FeedbackRecord, RequestKey, RunPage } from '../../src/core/run-store.ts'
import type { Steering } from '../../src/core/steering.ts'
import type { PolicyStatus } from '../../src/runs/quotas.ts'
import { checkSteering } from '../../src/runs/steering.ts'
import type { RunRequest } from '../../src/runs/run-request.ts'
import { taskOf } from '../../src/runs/task-request.ts'
import type {
  Estimate,
  FeedbackRow,
  ModelDescription,
  RunObserver,
  RunService,
  ServicePart,
  StrategyDescription,
  TokenCount,
} from '../../src/runs/run-service.ts'

export type Body = StrategyEvent | RunnerEvent
export type Script = (request: RunRequest, signal: AbortSignal) => AsyncIterable<Body>

interface Entry {
  readonly owner: string
  readonly request: RunRequest
  readonly events: RunEvent[]
  readonly stop: AbortController
  readonly wakers: Set<() => void>
}

export const usage: Usage = {
  ...emptyUsage(),
  calls: 3,
  input_tokens: 100,
  output_tokens: 50,
  cached_tokens: 40,
}

/** The first draft is begun. */
export const begun: Body = {
  type: 'candidate.created',
  candidate: 0,
  parents: [],
  round: 0,
  model: 'pebble',
  role: 'draft',
}

export const SECOND_WINS: StrategyEvent = {
  type: 'comparison.completed',
  candidates: [0, 1],
  winner: 1,
  orders: [
    { first: 0, winner: 1 },
    { first: 1, winner: 1 },
  ],
}

/** A draft, its review, a better draft: nearly every event there is. */
export const refinement: Body[] = [
  begun,
  { type: 'candidate.delta', candidate: 0, text: 'It is ' },
  { type: 'candidate.delta', candidate: 0, text: '41.' },
  {
    type: 'candidate.completed',
    candidate: 0,
    finish_reason: 'stop',
    usage: { output_tokens: 20 },
  },
  { type: 'candidate.scored', candidate: 0, scorer: 'judge', score: 0.4, range: [0, 1] },
  {
    type: 'answer.revised',
    revision: 1,
    candidate: 0,
    text: 'It is 41.',
    reason: 'first',
    score: 0.4,
  },
  { type: 'critique.delta', candidate: 0, text: 'Off by one.' },
  { type: 'critique.completed', candidate: 0, text: 'Off by one.', step: 1, verdict: 'wrong' },
  {
    type: 'candidate.created',
    candidate: 1,
    parents: [0],
    round: 1,
    model: 'pebble',
    role: 'revision',
  },
  { type: 'candidate.delta', candidate: 1, text: 'It is 42.' },
  {
    type: 'candidate.completed',
    candidate: 1,
    finish_reason: 'stop',
    usage: { output_tokens: 15 },
  },
  { type: 'candidate.scored', candidate: 1, scorer: 'judge', score: 0.9, range: [0, 1] },
  {
    type: 'vote.updated',
    answers: [{ answer: '42', weight: 2, candidates: [1] }],
    effective_answers: 1,
  },
  SECOND_WINS,
  { type: 'gate.decided', gate: 'difficulty', outcome: 'go on', values: {} },
  { type: 'warning', code: 'degraded', message: 'No likelihoods.' },
  {
    type: 'answer.revised',
    revision: 2,
    candidate: 1,
    text: 'It is 42.',
    reason: 'better',
    score: 0.9,
  },
  {
    type: 'run.completed',
    answer: { text: 'It is 42.', candidate: 1, revision: 2, score: 0.9 },
    usage,
    stop_reason: 'threshold',
  },
]

export const scripted = (bodies: readonly Body[]): Script =>
  async function* () {
    yield* bodies
  }

/** The bodies, then nothing until the run is cancelled. */
export const endless = (bodies: readonly Body[] = []): Script =>
  async function* (_, signal) {
    yield* bodies
    await delay(60_000, undefined, { signal, ref: false })
  }

export const strategies: StrategyDescription[] = ['single', 'best-of-n'].map((name) => ({
  name,
  description: name,
  feedback: name === 'single' ? 'none' : 'model',
  requires: [],
  source: 'baseline',
  options: { type: 'object', properties: {} },
}))

const models: ModelDescription[] = [
  {
    id: 'pebble',
    adapter: 'onnx',
    capabilities: Object.fromEntries(
      CAPABILITIES.map((name) => [name, 'native']),
    ) as unknown as CapabilityRecord,
    context_length: 512,
    price: { input: 0, output: 0 },
  },
]

export class FakeRuns implements RunService {
  script: Script
  readyError: Error | undefined
  readonly entries = new Map<string, Entry>()
  readonly requests: RunRequest[] = []
  readonly cancelled: string[] = []
  readonly notes: FeedbackRecord[] = []
  readonly keys = new Map<string, { readonly id: string; readonly fingerprint: string }>()
  onCancel: (id: string) => void = () => undefined

  constructor(script: Script = scripted(refinement)) {
    this.script = script
  }

  async create(request: RunRequest, owner: string): Promise<string> {
    taskOf(request)
    const {
      model = 'pebble',
      strategy = 'best-of-n',
      options = {},
      budget = {},
      seed = 1,
    } = request
    if (!models.some(({ id }) => id === model)) {
      throw new RefineError('unknown_model', `There is no model "${model}".`, { param: 'model' })
    }
    if (!strategies.some(({ name }) => name === strategy)) {
      throw new RefineError('unknown_strategy', `There is no strategy "${strategy}".`, {
        param: 'strategy',
      })
    }
    this.requests.push(request)
    const id = `run_${this.entries.size + 1}`
    const entry: Entry = {
      owner,
      request,
      events: [],
      stop: new AbortController(),
      wakers: new Set(),
    }
    this.entries.set(id, entry)
    this.#append(id, entry, {
      type: 'run.created',
      strategy,
      options,
      model,
      models: {},
      budget,
      seed,
      ...(request.sampling && { sampling: request.sampling }),
      assignment: null,
      metadata: request.metadata ?? {},
    })
    void this.#drive(id, entry)
    return id
  }

  async createOnce(request: RunRequest, owner: string, { route, key, fingerprint }: RequestKey) {
    const name = JSON.stringify([owner, route, key])
    const known = this.keys.get(name)
    if (known === undefined) {
      const id = await this.create(request, owner)
      this.keys.set(name, { id, fingerprint })
      return { id, isReplay: false }
    }
    if (known.fingerprint === fingerprint) return { id: known.id, isReplay: true }
    throw new RefineError('idempotency_mismatch', 'another request')
  }

  async remove(id: string, owner: string): Promise<void> {
    if (!this.#ended(this.#entry(id, owner))) throw new RefineError('conflict', 'goes on')
    this.entries.delete(id)
  }

  async #drive(id: string, entry: Entry): Promise<void> {
    try {
      for await (const body of this.script(entry.request, entry.stop.signal)) {
        if (entry.stop.signal.aborted) break
        this.#append(id, entry, body)
      }
    } catch {
      // the script was stopped
    }
    if (entry.stop.signal.aborted && !this.#ended(entry)) {
      const answer = foldRun(entry.events)?.answer ?? null
      this.#append(id, entry, { type: 'run.cancelled', answer, usage, stop_reason: 'cancelled' })
    }
  }

  #append(id: string, entry: Entry, body: Body): void {
    const sequence = entry.events.length + 1
    entry.events.push({ run_id: id, sequence, at: new Date(sequence).toISOString(), ...body })
    for (const wake of entry.wakers) wake()
    entry.wakers.clear()
  }

  #ended(entry: Entry): boolean {
    const last = entry.events.at(-1)
    return last !== undefined && isTerminal(last)
  }

  #entry(id: string, owner: string): Entry {
    const entry = this.entries.get(id)
    if (entry === undefined || entry.owner !== owner) {
      throw new RefineError('run_not_found', `There is no run "${id}".`)
    }
    return entry
  }

  async #wait(entry: Entry, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake)
        entry.wakers.delete(wake)
        resolve()
      }
      entry.wakers.add(wake)
      signal.addEventListener('abort', wake)
    })
  }

  async get(id: string, owner: string): Promise<RunState> {
    return foldRun(this.#entry(id, owner).events)!
  }

  async list(page: RunPage): Promise<{ runs: RunState[]; hasMore: boolean }> {
    const own = [...this.entries].filter(([, entry]) => entry.owner === page.owner)
    const runs = own.map(([, entry]) => foldRun(entry.events)!)
    if (page.order === 'desc') runs.reverse()
    const from = page.after === undefined ? 0 : runs.findIndex(({ id }) => id === page.after) + 1
    const found = runs.slice(from).filter((run) => [undefined, run.status].includes(page.status))
    return { runs: found.slice(0, page.limit), hasMore: found.length > page.limit }
  }

  async *events(
    id: string,
    owner: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<RunEvent, void, void> {
    const entry = this.#entry(id, owner)
    for (let at = after; !signal.aborted;) {
      const event = entry.events[at]
      if (event === undefined) {
        if (this.#ended(entry)) return
        await this.#wait(entry, signal)
        continue
      }
      at++
      yield event
    }
  }

  async *pieces(
    id: string,
    owner: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<LogPiece, void, void> {
    for await (const event of this.events(id, owner, after, signal)) {
      yield { runId: id, after: event.sequence - 1, texts: [JSON.stringify(event)] }
    }
  }

  async ended(id: string, owner: string, signal: AbortSignal): Promise<RunState> {
    const entry = this.#entry(id, owner)
    while (!this.#ended(entry)) {
      signal.throwIfAborted()
      await this.#wait(entry, signal)
    }
    return this.get(id, owner)
  }

  async cancel(id: string, owner: string): Promise<RunState> {
    const entry = this.#entry(id, owner)
    this.cancelled.push(id)
    this.onCancel(id)
    entry.stop.abort()
    return this.ended(id, owner, new AbortController().signal)
  }

  async request(id: string, owner: string): Promise<RunRequest> {
    return this.#entry(id, owner).request
  }

  async steer(id: string, owner: string, steering: Steering): Promise<RunState> {
    const entry = this.#entry(id, owner)
    checkSteering(await this.get(id, owner), steering)
    this.#append(id, entry, { type: 'run.steered', steering })
    return this.get(id, owner)
  }

  async estimate(request: RunRequest): Promise<Estimate> {
    taskOf(request)
    return {
      worst_case: { calls: 2, input_tokens: 10, output_tokens: 20, cost: 0 },
      expected: null,
      by_role: [{ role: 'generator', calls: 2, inputTokens: 10, outputTokens: 20 }],
    }
  }

  async countTokens(request: RunRequest): Promise<TokenCount> {
    taskOf(request)
    this.requests.push(request)
    return { input_tokens: 17, exact: true }
  }

  async addFeedback(row: FeedbackRow, owner: string): Promise<FeedbackRecord> {
    this.#entry(row.run_id, owner)
    const record = { id: `fb_${this.notes.length + 1}`, at: new Date(0).toISOString(), ...row }
    this.notes.push(record)
    return record
  }

  addFeedbackRows(rows: readonly FeedbackRow[], owner: string): Promise<FeedbackRecord[]> {
    return Promise.all(rows.map((row) => this.addFeedback(row, owner)))
  }

  async feedback(id: string, owner: string): Promise<FeedbackRecord[]> {
    this.#entry(id, owner)
    return this.notes.filter((note) => note.run_id === id)
  }

  strategies = (): StrategyDescription[] => strategies
  models = (): ModelDescription[] => models

  async ready(_part: ServicePart): Promise<void> {
    if (this.readyError !== undefined) throw this.readyError
  }

  quotas: readonly PolicyStatus[] = []
  quota = (): readonly PolicyStatus[] => this.quotas
  load = () => ({ running: 0, waiting: 0, unstored: 0, storeRetries: 0, lostEvents: 0 })
  observers: RunObserver[] = []
  observe = (observer: RunObserver): void => void this.observers.push(observer)

  async drain(): Promise<void> {}
}

/** A refinement up to this event, and the rest when it is let go on. */
export const heldAt = (event: number): { script: Script; goOn: () => void } => {
  let goOn = (): void => undefined
  const gate = new Promise<void>((resolve) => (goOn = resolve))
  const script: Script = async function* () {
    yield* refinement.slice(0, event)
    await gate
    yield* refinement.slice(event)
  }
  return { script, goOn: () => goOn() }
}
