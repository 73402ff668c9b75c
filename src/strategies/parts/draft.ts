/** Samples candidates: one model call, one event per chunk. */
import type { DeltaEvent, StrategyEvent } from '../../core/event.ts'
import { describeError, RefineError } from '../../core/errors.ts'
import type { GenerationChunk } from '../../core/language-model.ts'
import { peakednessOf } from '../../core/peakedness.ts'
import type { Sampling, Task } from '../../core/task.ts'
import type { ToolCall } from '../../core/tools.ts'
import { asksForForm, FORM } from '../../core/validity.ts'
import { tell, type Events, type Refinement } from '../compose.ts'
import { affordableSamples } from './allowance.ts'
import { completedBy, toldOf, type Told } from './sample-events.ts'
import { requestOf, type SampleCall } from './sample-request.ts'
import type { Cut } from './watch.ts'

export type { SampleCall }

/** Where drafts should differ and the task does not say how much. */
const DIVERSE_TEMPERATURE = 0.8

/** The task's wishes, at 0.8 where several drafts must differ and it names no temperature. */
export const draftSampling = ({ sampling }: Task, samples: number): Sampling =>
  samples > 1 && sampling.temperature === undefined
    ? { ...sampling, temperature: DIVERSE_TEMPERATURE }
    : sampling

const NO_ANSWER = 'The model ended without an answer.'

type Delta = Extract<GenerationChunk, { type: 'delta' }>

/** Numbers the samples of one call in their order, as late as their first chunk. */
class Block {
  readonly #call: SampleCall
  readonly #refinement: Refinement
  readonly #numbers: number[] = []
  readonly #open = new Set<number>()
  readonly #ended = new Set<number>()
  readonly #toolCalls: ToolCall[][] = []
  readonly #confidences: number[][] = []

  constructor(call: SampleCall, refinement: Refinement) {
    this.#call = call
    this.#refinement = refinement
  }

  isRevealed(sample: number): boolean {
    return sample < this.#numbers.length
  }

  *reveal(sample: number): Generator<StrategyEvent, number, void> {
    const { model, parents, round, role, continueFrom } = this.#call
    while (this.#numbers.length <= sample) {
      const candidate = this.#refinement.pool.allocate()
      this.#open.add(this.#numbers.push(candidate) - 1)
      yield {
        type: 'candidate.created',
        candidate,
        parents: [...parents],
        round,
        model: model.id,
        role,
      }
      if (continueFrom !== undefined) {
        yield { type: 'candidate.delta', candidate, text: continueFrom }
      }
    }
    return this.#numbers[sample]!
  }

  /** Keeps how peaked the tokens were. */
  listen({ sample, tokens = [] }: Delta): void {
    const heard = (this.#confidences[sample] ??= [])
    for (const token of tokens) {
      const peakedness = peakednessOf(token)
      if (peakedness !== undefined) heard.push(peakedness)
    }
  }

  /** The event for text of a sample that is revealed. */
  delta(sample: number, told: Told): DeltaEvent {
    return { type: 'candidate.delta', candidate: this.#numbers[sample]!, ...told }
  }

  *complete(
    chunk: Extract<GenerationChunk, { type: 'finish' }>,
  ): Generator<StrategyEvent, void, void> {
    const { sample, reason, outputTokens, logProbability, stopString } = chunk
    const candidate = yield* this.reveal(sample)
    this.#open.delete(sample)
    const confidences = this.#confidences[sample]
    this.#refinement.pool.note(candidate, {
      tokens: outputTokens,
      ...(confidences === undefined ? {} : { confidences }),
      ...(logProbability === undefined ? {} : { logProbability }),
    })
    const toolCalls = this.#toolCalls[sample]
    yield completedBy(candidate, { reason: reason.unified, stopString, outputTokens, toolCalls })
    yield* this.#judgeForm(candidate)
    this.#end(sample, candidate)
  }

  call(sample: number, call: ToolCall): void {
    ;(this.#toolCalls[sample] ??= []).push(call)
  }

  /** Whether the form is right costs nothing to know, so every candidate is told its score. */
  *#judgeForm(candidate: number): Generator<StrategyEvent, void, void> {
    const { task, pool } = this.#refinement
    if (!asksForForm(task)) return
    const score = pool.fault(candidate) === undefined ? 1 : 0
    yield { type: 'candidate.scored', candidate, scorer: FORM, score, range: [0, 1] }
  }

  /** Ends a sample that has begun before its model does. */
  *cut(sample: number, cut: Cut): Generator<StrategyEvent, void, void> {
    const candidate = yield* this.reveal(sample)
    if ('drop' in cut) {
      this.#open.delete(sample)
      yield { type: 'candidate.dropped', candidate, reason: cut.drop }
      this.#end(sample, undefined)
      return
    }
    const { append, outputTokens } = cut
    yield { type: 'candidate.delta', candidate, text: append }
    const reason = { unified: 'stop', raw: 'cut' } as const
    yield* this.complete({ type: 'finish', sample, reason, outputTokens })
  }

  *fail(sample: number, error: RefineError): Generator<StrategyEvent, void, void> {
    const candidate = yield* this.reveal(sample)
    this.#open.delete(sample)
    this.#refinement.pool.fail(error)
    yield { type: 'candidate.failed', candidate, error: describeError(error) }
    this.#end(sample, undefined)
  }

  /** Whether a sample has begun and not ended. */
  get isOpen(): boolean {
    return this.#open.size > 0
  }

  /** Samples that never ended end with their call. */
  abandon(): void {
    for (let at = 0; at < this.#call.samples; at++)
      if (!this.#ended.has(at)) this.#end(at, undefined)
  }

  #end(sample: number, candidate: number | undefined): void {
    this.#ended.add(sample)
    this.#call.ended?.(sample, candidate)
  }

  *failOpen(error: RefineError): Generator<StrategyEvent, void, void> {
    for (const sample of this.#open) yield* this.fail(sample, error)
  }
}

function* take(
  block: Block,
  chunk: Exclude<GenerationChunk, Delta>,
): Generator<StrategyEvent, void, void> {
  switch (chunk.type) {
    case 'tool_call':
      yield* block.reveal(chunk.sample)
      return block.call(chunk.sample, chunk.call)
    case 'finish':
      return yield* block.complete(chunk)
    case 'failure':
      return yield* block.fail(chunk.sample, chunk.error)
    case 'warning':
      yield { type: 'warning', code: chunk.code, message: chunk.message }
      return
    case 'usage':
  }
}

/**
 * Samples from one call. A sample that fails is a failed candidate, not an exception; when the whole call fails, what
 * it had completed stays.
 * @throws RefineError when the whole call fails before any candidate of the run was completed or begun.
 */
export async function* sample(refinement: Refinement, call: SampleCall): Events {
  const { context, pool } = refinement
  const { model } = call
  const request = requestOf(refinement, call)
  const block = new Block(call, refinement)
  try {
    for await (const chunk of model.generate(request, { signal: context.signal })) {
      if (chunk.type !== 'delta') {
        yield* take(block, chunk)
        continue
      }
      if (chunk.tokens !== undefined) block.listen(chunk)
      const told = toldOf(refinement, chunk.text, chunk.tokens)
      if (told !== undefined) {
        if (!block.isRevealed(chunk.sample)) yield* block.reveal(chunk.sample)
        const full = tell(refinement, block.delta(chunk.sample, told))
        if (full !== undefined) await full
      }
      if (call.watch === undefined) continue
      const cut = yield* call.watch(chunk)
      if (cut !== undefined) return yield* block.cut(chunk.sample, cut)
    }
    if (block.isOpen) yield* block.failOpen(new RefineError('model_failed', NO_ANSWER))
  } catch (thrown) {
    if (!(thrown instanceof RefineError) || context.signal.aborted) throw thrown
    yield* block.failOpen(thrown)
    if (pool.incumbent === undefined && pool.completed.length === 0) throw thrown
    yield { type: 'warning', code: thrown.code, message: thrown.message }
  } finally {
    block.abandon()
  }
}

/** The call for `n` drafts of the task, fewer where the budget does not reach (`affordableSamples`). */
export const draftCall = (
  { task, context }: Refinement,
  n: number,
  callsEach = 1,
  kept = 0,
): SampleCall => {
  const messages = context.prompts.generator.solve(task)
  const samples = affordableSamples(context, messages, task.sampling, n, callsEach, kept)
  return {
    model: context.models.generator,
    messages,
    samples,
    sampling: draftSampling(task, n),
    role: 'draft',
    round: 0,
    parents: [],
  }
}
