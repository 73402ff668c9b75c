/**
 * Decides what the model computes next. One turn is a decode step for every running sample, then a bounded chunk of
 * prompts: the gap between two tokens stays small whatever arrives. Requests are served in order of arrival; a request
 * that was cancelled leaves before the next run.
 */
import { bytesPerToken } from './cache/cache-shape.ts'
import type { CachedPrefix } from './cache/prompt-cache.ts'
import { PromptLibrary } from './cache/prompt-library.ts'
import { DecodeBatch, type Row } from './decode-batch.ts'
import { choosePrefills, Prefill, runPrefills } from './prefill.ts'
import type { EngineEvent, GenerateWork, ScoreWork, WorkerSettings } from './protocol.ts'
import { createReading } from './reading.ts'
import type { Decoder } from './runtime/decoder.ts'
import { Sample, type Vocabulary } from './sample.ts'

/** Prompt tokens per run while no sample is waiting for its next token. */
const IDLE_PREFILL_TOKENS = 512
/** Logits per run, in elements: bounds the memory that scoring a long text takes. */
const MAX_LOGITS = 16_000_000
/** Fewer samples than this, or of a shorter prompt, have a copy of the prompt each. */
const SHARED_SAMPLES = 4
const SHARED_TOKENS = 32

export type SchedulerSettings = Pick<
  WorkerSettings,
  'maxRows' | 'cacheBytes' | 'promptBytes' | 'prefillTokens'
>

interface Waiting {
  readonly row: Row
  batch: DecodeBatch
  readonly prefix: CachedPrefix | undefined
}

export class Scheduler {
  readonly #decoder: Decoder
  readonly #vocabulary: Vocabulary
  readonly #settings: SchedulerSettings
  readonly #post: (events: readonly EngineEvent[]) => void
  readonly #library: PromptLibrary
  readonly #single: DecodeBatch
  #shared: DecodeBatch[] = []
  #prefills: Prefill[] = []
  #works = new Map<Prefill, GenerateWork>()
  #waiting: Waiting[] = []
  #events: EngineEvent[] = []
  #cancelled = new Set<number>()
  #running = false

  constructor(
    decoder: Decoder,
    vocabulary: Vocabulary,
    settings: SchedulerSettings,
    post: (events: readonly EngineEvent[]) => void,
  ) {
    this.#decoder = decoder
    this.#vocabulary = vocabulary
    this.#settings = settings
    this.#post = post
    this.#library = new PromptLibrary(settings.promptBytes)
    this.#single = new DecodeBatch(decoder)
  }

  generate(id: number, work: GenerateWork): void {
    // The last token of the prompt is left to the first decode step, which needs its logits once per sample.
    const prefill = new Prefill(id, work.prompt.slice(0, -1))
    this.#works.set(prefill, work)
    this.#prefills.push(prefill)
  }

  score(id: number, work: ScoreWork): void {
    this.#prefills.push(new Prefill(id, work.tokens, createReading(work, this.#decoder.shape)))
  }

  cancel(id: number): void {
    this.#cancelled.add(id)
  }

  /** Works until nothing is left; returns at once when it is at work already. Rejects when the model fails. */
  async run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      while (this.#hasWork()) await this.#turn()
    } finally {
      this.#running = false
    }
  }

  #hasWork(): boolean {
    return this.#prefills.length > 0 || this.#waiting.length > 0 || this.#rows() > 0
  }

  #batches(): DecodeBatch[] {
    return [this.#single, ...this.#shared]
  }

  #rows(): number {
    return this.#batches().reduce((sum, { size }) => sum + size, 0)
  }

  async #turn(): Promise<void> {
    this.#dropCancelled()
    this.#merge()
    for (const batch of this.#batches()) {
      if (batch.size > 0)
        await batch.step((id, chunk) => this.#events.push({ type: 'chunk', id, chunk }))
      this.#dropCancelled()
    }
    this.#admit()
    this.#flush()
    await this.#prefill()
    this.#dropCancelled()
    this.#admit()
    this.#flush()
  }

  async #prefill(): Promise<void> {
    // A prompt whose samples would have to wait anyway is not computed ahead: its cache would only take memory.
    const ready = this.#prefills.filter(
      ({ reading }) => reading !== undefined || this.#waiting.length === 0,
    )
    const limit = this.#rows() > 0 ? this.#settings.prefillTokens : IDLE_PREFILL_TOKENS
    const logits = Math.max(1, Math.floor(MAX_LOGITS / this.#decoder.shape.vocabulary))
    const budget = Math.min(limit, logits)
    const chosen = choosePrefills(ready, this.#library, budget)
    const unfinished = chosen.filter(({ remaining }) => remaining > 0)
    if (unfinished.length > 0) await runPrefills(this.#decoder, unfinished, budget)
    const finished = chosen.filter(({ remaining }) => remaining === 0)
    this.#prefills = this.#prefills.filter((prefill) => !finished.includes(prefill))
    for (const prefill of finished) this.#finishPrefill(prefill)
  }

  #finishPrefill(prefill: Prefill): void {
    const { id, cachedTokens, prefix } = prefill
    if (prefill.started && prefix !== undefined) this.#library.add(prefix.cache)
    const work = this.#works.get(prefill)
    this.#works.delete(prefill)
    if (work === undefined) {
      this.#events.push({
        type: 'scored',
        id,
        result: { values: prefill.reading!.values, cachedTokens },
      })
      return
    }
    const inputTokens = work.prompt.length
    this.#events.push({ type: 'chunk', id, chunk: { type: 'usage', inputTokens, cachedTokens } })
    const batch = this.#batchFor(work, prefix)
    for (let index = 0; index < work.samples; index++) {
      const sample = new Sample(work, index, this.#vocabulary)
      this.#waiting.push({ row: { id, sample }, batch, prefix })
    }
  }

  #batchFor({ samples }: GenerateWork, prefix: CachedPrefix | undefined): DecodeBatch {
    if (prefix === undefined || samples < SHARED_SAMPLES || prefix.length < SHARED_TOKENS)
      return this.#single
    const busy = this.#rows() > 0 || this.#waiting.length > 0
    if (busy && !this.#savesMore(samples, prefix.length)) return this.#single
    const batch = new DecodeBatch(this.#decoder, prefix)
    this.#shared.push(batch)
    return batch
  }

  /** Whether rows that share a prompt save more memory traffic per step than a run of their own costs. */
  #savesMore(rows: number, sharedTokens: number): boolean {
    const saved = (rows - 1) * sharedTokens * bytesPerToken(this.#decoder.cache)
    return saved > this.#decoder.weightBytes
  }

  /** Where several batches are running, gives up those that no longer save more than their own run costs. */
  #merge(): void {
    if (this.#batches().filter(({ size }) => size > 0).length < 2) return
    const [kept, left] = [new Set<DecodeBatch>(), new Set<DecodeBatch>()]
    for (const batch of this.#shared)
      (this.#savesMore(batch.size, batch.sharedTokens) ? kept : left).add(batch)
    for (const batch of left) batch.moveTo(this.#single)
    for (const waiting of this.#waiting) if (left.has(waiting.batch)) waiting.batch = this.#single
    this.#shared = [...kept]
  }

  /** Lets waiting samples in, in their order, as long as there are rows and memory for them. */
  #admit(): void {
    while (this.#waiting[0] !== undefined && this.#fits(this.#waiting[0])) {
      const { row, batch, prefix } = this.#waiting.shift()!
      batch.add(row, prefix)
    }
    const awaited = new Set(this.#waiting.map(({ batch }) => batch))
    this.#shared = this.#shared.filter((batch) => batch.size > 0 || awaited.has(batch))
  }

  #fits({ row, batch }: Waiting): boolean {
    const rows = this.#rows()
    if (rows === 0) return true
    const tokens = this.#batches().reduce(
      (sum, other) => sum + other.reservedTokens(other === batch ? row.sample : undefined),
      0,
    )
    const bytes = tokens * bytesPerToken(this.#decoder.cache)
    return rows < this.#settings.maxRows && bytes <= this.#settings.cacheBytes
  }

  #dropCancelled(): void {
    const cancelled = this.#cancelled
    if (cancelled.size === 0) return
    this.#cancelled = new Set()
    for (const prefill of this.#prefills) if (cancelled.has(prefill.id)) this.#works.delete(prefill)
    this.#prefills = this.#prefills.filter(({ id }) => !cancelled.has(id))
    this.#waiting = this.#waiting.filter(({ row }) => !cancelled.has(row.id))
    this.#events = this.#events.filter(({ id }) => !cancelled.has(id))
    for (const batch of this.#batches()) batch.removeWhere(({ id }) => cancelled.has(id))
  }

  #flush(): void {
    if (this.#events.length === 0) return
    const events = this.#events
    this.#events = []
    this.#post(events)
  }
}
