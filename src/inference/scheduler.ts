/**
 * Decides what the model computes next. One turn is a decode step for every running sample, then a bounded chunk of
 * prompts: the gap between two tokens stays small whatever arrives. Interactive calls go before those in the background;
 * among equals the call with the fewest running samples lets one in next. When the caches outgrow their memory, the
 * sample that came last is put back and computed anew later. A call that was cancelled leaves before the next run.
 */
import { toRefineError } from '../core/errors.ts'
import type { CachedPrefix } from './cache/prompt-cache.ts'
import { PromptLibrary } from './cache/prompt-library.ts'
import { ConstraintLibrary } from './constraint/guide.ts'
import type { Row } from './decode-batch.ts'
import { choosePrefills, Prefill, runPrefills } from './prefill.ts'
import type {
  EngineEvent,
  GenerateWork,
  ScoreWork,
  WorkerChunk,
  WorkerSettings,
} from './protocol.ts'
import { RunningSamples, type Waiting } from './running-samples.ts'
import { Adjuster } from './runtime/adjuster.ts'
import { createReading, type Reading } from './reading.ts'
import type { Decoder } from './runtime/decoder.ts'
import { Sample, type Vocabulary } from './sample.ts'

/** Prompt tokens per run while no sample is waiting for its next token. */
const IDLE_PREFILL_TOKENS = 512
/** Logits per run, in elements: bounds the memory that scoring a long text takes. */
const MAX_LOGITS = 16_000_000

export type SchedulerSettings = Pick<
  WorkerSettings,
  'maxRows' | 'cacheBytes' | 'promptBytes' | 'prefillTokens' | 'threads'
>

/** What a computed prompt is for: samples to begin, or one to go on with. Neither: its likelihood was all. */
interface Purpose {
  readonly work?: GenerateWork
  readonly resumed?: Waiting
}

export class Scheduler {
  readonly #decoder: Decoder
  readonly #vocabulary: Vocabulary
  readonly #settings: SchedulerSettings
  readonly #post: (events: readonly EngineEvent[]) => void
  readonly #library: PromptLibrary
  readonly #constraints: ConstraintLibrary
  readonly #samples: RunningSamples
  readonly #purposes = new Map<Prefill, Purpose>()
  #prefills: Prefill[] = []
  #events: EngineEvent[] = []
  #cancelled = new Set<number>()
  #running: Promise<void> | undefined
  /** Calls so far, and prompt tokens that they were to compute. */
  #calls = 0
  #computed = 0

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
    const size = decoder.shape.vocabulary
    this.#library = new PromptLibrary(decoder.memory, settings.promptBytes)
    this.#constraints = new ConstraintLibrary({ ...vocabulary, size })
    this.#samples = new RunningSamples(decoder, new Adjuster(size, settings.threads), settings)
  }

  /** Everything that is held for calls; all 0 when nothing is under way. */
  get held(): Readonly<Record<string, number>> {
    return {
      ...this.#samples.held,
      prefills: this.#prefills.length,
      prompts: this.#library.unkept,
      purposes: this.#purposes.size,
      events: this.#events.length,
      cancelled: this.#cancelled.size,
    }
  }

  generate(id: number, work: GenerateWork): void {
    try {
      // Compiled now, so that what cannot be held to is refused before anything is computed.
      const compiled = work.constraint && this.#constraints.compile(work.constraint)
      for (const pointer of compiled?.loosened ?? [])
        this.#events.push({ type: 'chunk', id, chunk: looseSchema(pointer) })
    } catch (thrown) {
      const { code, message, fields } = toRefineError(thrown)
      this.#post([{ type: 'refused', id, error: { code, message, fields } }])
      return
    }
    // The last token is left to the first decode step, which needs its logits once per sample; what a constraint begins
    // with is the same for all samples and belongs to the prompt.
    const [{ sample }] = this.#rows(id, { ...work, samples: 1 }, 0) as [Row]
    sample.begin()
    this.#enqueue(id, sample.closeAll(), work, { work })
  }

  score(id: number, work: ScoreWork): void {
    this.#enqueue(id, work.tokens, work, {}, createReading(work, this.#decoder.shape))
  }

  cancel(id: number): void {
    this.#cancelled.add(id)
  }

  /** Works until nothing is left. Rejects when the model fails. */
  run(): Promise<void> {
    this.#running ??= this.#work().finally(() => (this.#running = undefined))
    return this.#running
  }

  async #work(): Promise<void> {
    while (this.#prefills.length > 0 || this.#samples.count > 0) await this.#turn()
    this.#cancelled.clear()
  }

  #enqueue(
    id: number,
    tokens: Int32Array,
    { priority = 'interactive' }: Pick<GenerateWork, 'priority'>,
    purpose: Purpose,
    reading?: Reading,
  ): void {
    // Served by when a fair share of the machine would have finished it: long prompts do not keep short ones waiting,
    // and are not kept waiting for ever by them (Demers et al. 1989, "Analysis and simulation of a fair queueing algorithm").
    const due = this.#computed + tokens.length
    const prefill = new Prefill(id, tokens, { priority, due, order: this.#calls++ }, reading)
    this.#purposes.set(prefill, purpose)
    this.#prefills.push(prefill)
  }

  async #turn(): Promise<void> {
    this.#dropCancelled()
    this.#samples.merge()
    for (const waiting of this.#samples.makeRoom()) this.#putBack(waiting)
    for (const batch of this.#samples.batches) {
      if (batch.size > 0)
        await batch.step((id, chunk) => this.#events.push({ type: 'chunk', id, chunk }))
      this.#dropCancelled()
    }
    this.#samples.admit()
    this.#flush()
    await this.#prefill()
    this.#dropCancelled()
    this.#samples.admit()
    this.#library.release([...this.#prefills, ...this.#samples.prompts])
    this.#flush()
  }

  /** A sample that lost its place: what it held is computed again, and it goes on where it was. */
  #putBack(waiting: Waiting): void {
    const { id, sample, priority, order } = waiting.row
    const prefill = new Prefill(id, sample.closeAll(), { priority, due: 0, order })
    this.#purposes.set(prefill, { resumed: waiting })
    this.#prefills.push(prefill)
  }

  async #prefill(): Promise<void> {
    if (this.#prefills.length === 0) return
    // A prompt whose samples would have to wait anyway is not computed ahead: its cache would only take memory.
    const blocked = {
      interactive: this.#samples.blocks('interactive'),
      background: this.#samples.blocks('background'),
    }
    const ready = this.#prefills.filter(
      ({ reading, rank }) => reading !== undefined || !blocked[rank.priority],
    )
    ready.sort(({ rank: left }, { rank: right }) => compareRanks(left, right))
    const limit = this.#samples.running > 0 ? this.#settings.prefillTokens : IDLE_PREFILL_TOKENS
    const logits = Math.max(1, Math.floor(MAX_LOGITS / this.#decoder.shape.vocabulary))
    const budget = Math.min(limit, logits)
    const chosen = choosePrefills(ready, this.#library, budget)
    const unfinished = chosen.filter(({ remaining }) => remaining > 0)
    if (unfinished.length > 0)
      this.#computed += await runPrefills(this.#decoder, this.#library, unfinished, budget)
    const finished = chosen.filter(({ remaining }) => remaining === 0)
    this.#prefills = this.#prefills.filter((prefill) => !finished.includes(prefill))
    for (const prefill of finished) this.#finishPrefill(prefill)
  }

  #finishPrefill(prefill: Prefill): void {
    const { id, cachedTokens, reading, prefix, rank } = prefill
    if (prefill.started && prefix !== undefined) this.#library.add(prefix.cache)
    const { work, resumed } = this.#purposes.get(prefill)!
    this.#purposes.delete(prefill)
    if (resumed !== undefined) this.#samples.resume({ ...resumed, prefix })
    else if (work !== undefined) {
      const inputTokens = work.prompt.length
      this.#events.push({ type: 'chunk', id, chunk: { type: 'usage', inputTokens, cachedTokens } })
      this.#begin(this.#rows(id, work, rank.order), prefix)
    } else if (reading !== undefined)
      this.#events.push({ type: 'scored', id, result: { values: reading.values, cachedTokens } })
  }

  #begin(rows: readonly Row[], prefix: CachedPrefix | undefined): void {
    const open = rows.filter(({ id, sample }) => {
      const { chunks, finished } = sample.begin()
      sample.closeAll()
      for (const chunk of chunks) this.#events.push({ type: 'chunk', id, chunk })
      return !finished
    })
    this.#samples.add(open, prefix)
  }

  #rows(id: number, work: GenerateWork, order: number): Row[] {
    const { samples, constraint, openings, priority = 'interactive' } = work
    const automaton = constraint && this.#constraints.compile(constraint).automaton
    return Array.from({ length: samples }, (_, index) => {
      const guide = automaton && this.#constraints.guide(automaton, openings)
      return { id, sample: new Sample(work, index, this.#vocabulary, guide), priority, order }
    })
  }

  #dropCancelled(): void {
    const cancelled = this.#cancelled
    if (cancelled.size === 0) return
    this.#cancelled = new Set()
    for (const prefill of this.#prefills)
      if (cancelled.has(prefill.id)) this.#purposes.delete(prefill)
    this.#prefills = this.#prefills.filter(({ id }) => !cancelled.has(id))
    this.#events = this.#events.filter(({ id }) => !cancelled.has(id))
    this.#samples.drop(cancelled)
  }

  #flush(): void {
    if (this.#events.length === 0) return
    const events = this.#events
    this.#events = []
    this.#post(events)
  }
}

const looseSchema = (pointer: string): WorkerChunk => ({
  type: 'warning',
  code: 'schema_not_held',
  message: `${pointer} cannot be held to while a text is written; it may become any JSON object.`,
})

const compareRanks = (left: Prefill['rank'], right: Prefill['rank']): number => {
  if (left.priority !== right.priority) return left.priority === 'interactive' ? -1 : 1
  return left.due - right.due || left.order - right.order
}
