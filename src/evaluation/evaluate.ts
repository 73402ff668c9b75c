/** Runs every arm on every item, several at a time, and measures what comes out. */
import { setTimeout as wait } from 'node:timers/promises'
import { RefineError } from '../core/errors.ts'
import type { RunEvent } from '../core/event.ts'
import type { RunRequest } from '../runs/run-request.ts'
import type { Journal } from './journal.ts'
import type { RunMeasure } from './measure.ts'
import {
  jobsOf,
  MeasuredRuns,
  requestFor,
  runsPlanned,
  type EvaluationPlan,
  type Job,
} from './measured-runs.ts'
import { RunRecorder, type RunKey, type RunRecord } from './record.ts'

/** Where runs are made: this process or a server. */
export interface RunSource {
  /**
   * The events of a new run to its end. When the signal aborts the run is cancelled and the events end early,
   * without throwing.
   * @throws RefineError when the run could not be started or was lost.
   */
  start(request: RunRequest, signal: AbortSignal): AsyncGenerator<RunEvent, void, void>
}

export interface Progress {
  /** Runs there will be in the end, and those there are. */
  readonly total: number
  readonly done: number
  /** Of those done, the ones an earlier process made. */
  readonly resumed: number
  /** So far, by the name of the arm. */
  readonly arms: ReadonlyMap<string, { readonly runs: number; readonly right: number }>
}

export interface EvaluationOptions {
  readonly plan: EvaluationPlan
  readonly source: RunSource
  readonly journal: Journal
  /** Runs at a time, at least 1. */
  readonly concurrency: number
  /** Runs failed runs of the journal again. */
  readonly retryFailed?: boolean
  /** Stops the evaluation: runs under way are cancelled and not recorded. */
  readonly signal: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  /** Milliseconds before a run that could not be started is tried again; twice as long each time. Default: 250. */
  readonly retryDelay?: number
}

const MAX_ATTEMPTS = 6

class Evaluation {
  readonly #options: EvaluationOptions
  readonly #measured: MeasuredRuns
  readonly #stop = new AbortController()
  #resumed = 0

  constructor(options: EvaluationOptions) {
    this.#options = options
    this.#measured = new MeasuredRuns(options.plan)
  }

  /** Takes up what the journal holds. */
  async resume(): Promise<void> {
    const { journal, retryFailed = false } = this.#options
    for await (const record of journal.records()) {
      this.#measured.takeUp(record, retryFailed)
    }
    this.#resumed = this.#measured.size
  }

  async run(): Promise<void> {
    this.#tell()
    const jobs = jobsOf(this.#options.plan)
    const workers = Array.from({ length: this.#options.concurrency }, () => this.#work(jobs))
    const ends = await Promise.allSettled(workers)
    const failure = ends.find((end) => end.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }

  measures(): RunMeasure[] {
    return this.#measured.inOrder()
  }

  async #work(jobs: Iterator<Job, void>): Promise<void> {
    const signal = AbortSignal.any([this.#options.signal, this.#stop.signal])
    try {
      for (let next = jobs.next(); next.done !== true && !signal.aborted; next = jobs.next()) {
        if (this.#measured.has(next.value.key)) continue
        const record = await this.#attempt(next.value, signal)
        if (record === undefined) return
        await this.#options.journal.append(record)
        this.#measured.keep(record, next.value.item)
        this.#tell()
      }
    } catch (thrown) {
      this.#stop.abort()
      throw thrown
    }
  }

  /** Tries again while the place is full or out of reach; undefined when the evaluation is stopped. */
  async #attempt(job: Job, signal: AbortSignal): Promise<RunRecord | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#execute(job, signal)
      } catch (thrown) {
        if (signal.aborted) return undefined
        if (!(thrown instanceof RefineError)) throw thrown
        if (!thrown.retryable || attempt >= MAX_ATTEMPTS) throw refused(job.key, thrown)
        const delay = (this.#options.retryDelay ?? 250) * 2 ** (attempt - 1)
        const pause = Math.max(delay, (thrown.retryAfter ?? 0) * 1000)
        await wait(pause, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #execute(job: Job, signal: AbortSignal): Promise<RunRecord | undefined> {
    const request = requestFor(this.#options.plan, job)
    const recorder = new RunRecorder()
    for await (const event of this.#options.source.start(request, signal)) recorder.observe(event)
    if (signal.aborted) return undefined
    const record = recorder.record(job.key, request)
    if (record !== undefined) return record
    throw new RefineError('upstream_unavailable', 'The events of the run ended before it did.')
  }

  #tell(): void {
    this.#options.onProgress?.({
      total: runsPlanned(this.#options.plan),
      done: this.#measured.size,
      resumed: this.#resumed,
      arms: this.#measured.arms,
    })
  }
}

const refused = ({ arm, item }: RunKey, cause: RefineError): RefineError =>
  new RefineError(cause.code, `Arm "${arm}", item "${item}": ${cause.message}`, {
    fields: cause.fields,
    cause,
  })

export interface EvaluationEnd {
  /** In the order of the plan; fewer than planned when the evaluation was stopped. */
  readonly measures: readonly RunMeasure[]
  /** What stopped it, other than the signal. */
  readonly failure: RefineError | undefined
}

/**
 * Makes the runs that the journal does not hold yet. Resolves when all are there, when the signal has aborted, or
 * when a run could not be made at all, always with what there is.
 * @throws RefineError conflict when the journal was made with other settings, invalid_request when it cannot be read.
 */
export const evaluate = async (options: EvaluationOptions): Promise<EvaluationEnd> => {
  const evaluation = new Evaluation(options)
  await evaluation.resume()
  try {
    await evaluation.run()
    return { measures: evaluation.measures(), failure: undefined }
  } catch (thrown) {
    const measures = evaluation.measures()
    if (!(thrown instanceof RefineError) || measures.length === 0) throw thrown
    return { measures, failure: thrown }
  }
}
