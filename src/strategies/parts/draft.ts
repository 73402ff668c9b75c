/** Samples candidates: one model call, one event per chunk. */
import type { StrategyEvent } from '../../core/event.ts'
import { describeError, RefineError } from '../../core/errors.ts'
import type { GenerationChunk, TokenLogProbability } from '../../core/language-model.ts'
import { peakednessOf } from '../../core/peakedness.ts'
import { merge } from '../../core/merge.ts'
import type { Sampling, Task } from '../../core/task.ts'
import type { ToolCall } from '../../core/tools.ts'
import { asksForForm, FORM } from '../../core/validity.ts'
import type { Events, Refinement } from '../compose.ts'
import { affordableSamples } from './allowance.ts'
import { logprobOf, requestOf, type SampleCall } from './sample-request.ts'
import type { Cut } from './watch.ts'

export type { SampleCall }

/** Where drafts should differ and the task does not say how much. */
const DIVERSE_TEMPERATURE = 0.8

/** The task's wishes, at 0.8 where several drafts must differ and it names no temperature. */
export const draftSampling = ({ sampling }: Task, samples: number): Sampling =>
  samples > 1 && sampling.temperature === undefined
    ? { ...sampling, temperature: DIVERSE_TEMPERATURE }
    : sampling

/** Numbers the samples of one call in their order, as late as their first chunk. */
class Block {
  readonly #call: SampleCall
  readonly #refinement: Refinement
  readonly #numbers: number[] = []
  readonly #open = new Set<number>()
  readonly #toolCalls: ToolCall[][] = []
  readonly #confidences: number[][] = []

  constructor(call: SampleCall, refinement: Refinement) {
    this.#call = call
    this.#refinement = refinement
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

  listen(sample: number, tokens: readonly TokenLogProbability[]): void {
    const heard = (this.#confidences[sample] ??= [])
    for (const token of tokens) {
      const peakedness = peakednessOf(token)
      if (peakedness !== undefined) heard.push(peakedness)
    }
  }

  *complete(
    chunk: Extract<GenerationChunk, { type: 'finish' }>,
  ): Generator<StrategyEvent, void, void> {
    const { sample, reason, outputTokens, logProbability } = chunk
    const candidate = yield* this.reveal(sample)
    this.#open.delete(sample)
    const confidences = this.#confidences[sample]
    this.#refinement.pool.note(candidate, {
      tokens: outputTokens,
      ...(confidences === undefined ? {} : { confidences }),
      ...(logProbability === undefined ? {} : { logProbability }),
    })
    yield {
      type: 'candidate.completed',
      candidate,
      finish_reason: reason.unified,
      usage: { output_tokens: outputTokens },
      ...(this.#toolCalls[sample] === undefined ? {} : { tool_calls: this.#toolCalls[sample] }),
    }
    yield* this.#judgeForm(candidate)
    this.#call.ended?.(sample, candidate)
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
      this.#call.ended?.(sample, undefined)
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
    this.#call.ended?.(sample, undefined)
  }

  *failOpen(error: RefineError): Generator<StrategyEvent, void, void> {
    for (const sample of this.#open) yield* this.fail(sample, error)
  }
}

/** `wanted`: alternatives told with the text; undefined: no log-probabilities. */
function* take(
  block: Block,
  chunk: GenerationChunk,
  wanted: number | undefined,
): Generator<StrategyEvent, void, void> {
  switch (chunk.type) {
    case 'delta': {
      const tokens = wanted === undefined ? [] : (chunk.tokens ?? [])
      const logprobs = tokens.map((token) => logprobOf(token, wanted ?? 0))
      if (chunk.tokens !== undefined) block.listen(chunk.sample, chunk.tokens)
      if (chunk.text === '' && logprobs.length === 0) return
      const candidate = yield* block.reveal(chunk.sample)
      const told = logprobs.length === 0 ? {} : { logprobs }
      yield { type: 'candidate.delta', candidate, text: chunk.text, ...told }
      return
    }
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
  const { context, pool, task } = refinement
  const { model } = call
  const request = requestOf(refinement, call)
  const wanted = task.topLogProbabilities
  const block = new Block(call, refinement)
  try {
    for await (const chunk of model.generate(request, { signal: context.signal })) {
      yield* take(block, chunk, wanted)
      if (chunk.type !== 'delta' || call.watch === undefined) continue
      const cut = yield* call.watch(chunk)
      if (cut !== undefined) return yield* block.cut(chunk.sample, cut)
    }
    yield* block.failOpen(new RefineError('model_failed', 'The model ended without an answer.'))
  } catch (thrown) {
    if (!(thrown instanceof RefineError) || context.signal.aborted) throw thrown
    yield* block.failOpen(thrown)
    if (pool.incumbent === undefined && pool.completed.length === 0) throw thrown
    yield { type: 'warning', code: thrown.code, message: thrown.message }
  }
}

/** The call for `n` drafts of the task, fewer where the budget does not reach; `callsEach` counts scores as well. */
export const draftCall = ({ task, context }: Refinement, n: number, callsEach = 1): SampleCall => {
  const messages = context.prompts.generator.solve(task)
  const samples = affordableSamples(context, messages, task.sampling, n, callsEach)
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

interface Slot {
  readonly candidate: Promise<number | undefined>
  fill(candidate: number | undefined): void
}

const createSlot = (): Slot => {
  let fill: Slot['fill'] = () => undefined
  const candidate = new Promise<number | undefined>((resolve) => (fill = resolve))
  return { candidate, fill }
}

/** Samples, and scores each candidate as soon as it is completed, while the others are still being written. */
export async function* sampleAndScore(
  refinement: Refinement,
  call: SampleCall,
  score: (candidate: number) => Events,
): Events {
  const slots = Array.from({ length: call.samples }, createSlot)
  async function* sampling(): Events {
    try {
      yield* sample(refinement, { ...call, ended: (at, candidate) => slots[at]!.fill(candidate) })
    } finally {
      for (const slot of slots) slot.fill(undefined)
    }
  }
  async function* scoring({ candidate }: Slot): Events {
    const completed = await candidate
    if (completed !== undefined) yield* score(completed)
  }
  yield* merge([sampling(), ...slots.map(scoring)])
}
