/**
 * The embedded engine: runs a checkpoint in a worker thread of its own and batches all calls there. This side only
 * passes messages, so the event loop stays free while the model computes.
 */
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Device } from '../core/device.ts'
import { RefineError } from '../core/errors.ts'
import { Call } from './call.ts'
import type { WeightChoice } from './graphs/linear.ts'
import type {
  Command,
  EngineEvent,
  GenerateWork,
  Notice,
  ScoreResult,
  ScoreWork,
  WorkerChunk,
  WorkerSettings,
} from './protocol.ts'
import type { ChosenDevice } from './runtime/choose-device.ts'

export interface EngineOptions {
  /** A checkpoint in Hugging Face layout. */
  readonly folder: string
  /** Special tokens of the tokenizer that are part of the text. */
  readonly spokenTokens?: readonly string[]
  /** Threads of one run; the cores of the machine when absent. */
  readonly threads?: number
  /** `auto` when absent. */
  readonly device?: Device
  /** Told what the model computes on whenever it has been loaded. */
  readonly onLoaded?: (chosen: ChosenDevice) => void
  /** How the weights are held; `auto` when absent. */
  readonly weights?: WeightChoice
  /** Samples decoded at the same time, 32 when absent; more wait. */
  readonly maxRows?: number
  /** Bytes that the caches of running samples may take, 1 GiB when absent; samples beyond that wait. */
  readonly cacheBytes?: number
  /** Bytes for prompts kept for reuse, 128 MiB when absent. */
  readonly promptBytes?: number
  /** Prompt tokens computed between two decode steps, 128 when absent: smaller gaps against faster prompts. */
  readonly prefillTokens?: number
}

/** The compiled worker lies beside this file, with the same ending. */
const WORKER = new URL(`./worker${path.extname(fileURLToPath(import.meta.url))}`, import.meta.url)

const MIB = 1024 * 1024

type EventCall = Call<EngineEvent>

const closedError = (): RefineError => new RefineError('shutting_down', 'The model was closed.')

export class Engine {
  readonly #settings: WorkerSettings
  readonly #onLoaded: EngineOptions['onLoaded']
  readonly #calls = new Map<number, EventCall>()
  #worker: Promise<Worker> | undefined
  /** While it loads the model. */
  #loading: Worker | undefined
  #nextId = 0
  #closed = false

  constructor(options: EngineOptions) {
    this.#onLoaded = options.onLoaded
    this.#settings = {
      folder: options.folder,
      spokenTokens: options.spokenTokens ?? [],
      threads: options.threads ?? availableParallelism(),
      device: options.device ?? 'auto',
      weights: options.weights ?? 'auto',
      maxRows: options.maxRows ?? 32,
      cacheBytes: options.cacheBytes ?? 1024 * MIB,
      promptBytes: options.promptBytes ?? 128 * MIB,
      prefillTokens: options.prefillTokens ?? 128,
    }
  }

  /** Resolves when the model is loaded. @throws RefineError model_failed saying which file is wrong. */
  async ready(): Promise<void> {
    await this.#start()
  }

  /**
   * Streams the samples of one prompt: a `finish` per sample and one `usage`. Leaving the iteration or aborting the
   * signal takes the samples out before the next decode step.
   * @throws RefineError model_failed, shutting_down; invalid_request for a constraint that cannot be held to; the signal's
   * reason when it aborts.
   */
  async *generate(
    work: GenerateWork,
    signal: AbortSignal,
  ): AsyncGenerator<WorkerChunk, void, void> {
    let open = work.samples + 1
    for await (const event of this.#call((id) => ({ type: 'generate', id, work }), signal)) {
      if (event.type !== 'chunk') continue
      if (event.chunk.type === 'finish' || event.chunk.type === 'usage') open--
      yield event.chunk
      if (open === 0) return
    }
  }

  /** @throws RefineError model_failed, shutting_down; the signal's reason when it aborts. */
  async score(work: ScoreWork, signal: AbortSignal): Promise<ScoreResult> {
    for await (const event of this.#call((id) => ({ type: 'score', id, work }), signal))
      if (event.type === 'scored') return event.result
    throw new RefineError('model_failed', 'The model ended a call without a result.')
  }

  /**
   * Ends the worker after the step it is in, or while it loads before the next weight; calls in flight fail with `shutting_down`. It is asked and not terminated: a
   * thread that is stopped inside the runtime takes the process with it.
   */
  async close(): Promise<void> {
    this.#closed = true
    this.#loading?.postMessage({ type: 'close' } satisfies Command)
    const worker = await this.#worker?.catch(() => undefined)
    const ids = [...this.#calls.keys()]
    this.#failAll(closedError())
    if (worker === undefined || worker.threadId === -1) return
    // An idle worker does not keep the process alive, but its end must be waited for.
    worker.ref()
    const exited = once(worker, 'exit')
    for (const id of ids) worker.postMessage({ type: 'cancel', id } satisfies Command)
    worker.postMessage({ type: 'close' } satisfies Command)
    await exited
  }

  async *#call(
    command: (id: number) => Command,
    signal: AbortSignal,
  ): AsyncGenerator<EngineEvent, void, void> {
    signal.throwIfAborted()
    const id = this.#nextId++
    const call: EventCall = new Call()
    const abort = (): void => call.fail(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    let left = false
    let worker: Worker | undefined
    const send = (started: Worker): void => {
      if (this.#closed) call.fail(closedError())
      if (left || this.#closed) return
      worker = started
      worker.ref()
      this.#calls.set(id, call)
      worker.postMessage(command(id))
    }
    this.#start().then(send, (error: unknown) => call.fail(error))
    try {
      yield* call
    } finally {
      left = true
      signal.removeEventListener('abort', abort)
      // The worker forgets a call that was complete.
      if (this.#calls.delete(id)) worker?.postMessage({ type: 'cancel', id } satisfies Command)
      if (this.#calls.size === 0 && !this.#closed) worker?.unref()
    }
  }

  #start(): Promise<Worker> {
    if (this.#closed) return Promise.reject(closedError())
    this.#worker ??= this.#launch()
    return this.#worker
  }

  #launch(): Promise<Worker> {
    const worker = new Worker(WORKER, { workerData: this.#settings })
    this.#loading = worker
    const launched = new Promise<Worker>((resolve, reject) => {
      const end = (): void => {
        if (this.#loading === worker) this.#loading = undefined
      }
      const fail = (error: RefineError): void => {
        end()
        reject(error)
        if (this.#worker !== launched) return
        this.#worker = undefined
        this.#failAll(error)
      }
      worker.on('message', (notice: Notice) => {
        if (notice.type === 'events') this.#deliver(notice.events)
        else if (notice.type === 'device') this.#onLoaded?.(notice.chosen)
        else if (notice.type === 'broken') fail(new RefineError(notice.code, notice.message))
        else {
          end()
          worker.unref()
          resolve(worker)
        }
      })
      worker.on('error', (cause) =>
        fail(new RefineError('model_failed', `The model's thread failed: ${cause}`, { cause })),
      )
      worker.on('exit', () => fail(new RefineError('model_failed', "The model's thread ended.")))
    })
    return launched
  }

  #deliver(events: readonly EngineEvent[]): void {
    for (const event of events) {
      const call = this.#calls.get(event.id)
      if (event.type !== 'refused') call?.push(event)
      else call?.fail(new RefineError(event.error.code, event.error.message, event.error))
    }
  }

  #failAll(error: RefineError): void {
    for (const call of this.#calls.values()) call.fail(error)
    this.#calls.clear()
  }
}
