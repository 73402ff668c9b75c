/** Samples candidates: one model call, one event per chunk. */
import type { CandidateRole, StrategyEvent } from '../../core/event.ts'
import { describeError, RefineError } from '../../core/errors.ts'
import type {
  GenerationChunk,
  GenerationRequest,
  LanguageModel,
} from '../../core/language-model.ts'
import { merge } from '../../core/merge.ts'
import type { Message, Sampling, Task } from '../../core/task.ts'
import type { ToolCall } from '../../core/tools.ts'
import { asksForForm, FORM } from '../../core/validity.ts'
import type { Events, Refinement } from '../compose.ts'
import { affordableSamples } from './allowance.ts'
import { formFields, logprobOf } from './form.ts'

export interface SampleCall {
  readonly model: LanguageModel
  readonly messages: readonly Message[]
  readonly samples: number
  readonly sampling: Sampling
  readonly role: CandidateRole
  readonly round: number
  readonly parents: readonly number[]
  /** Drawn when the call starts, where absent; calls that run side by side draw theirs beforehand. */
  readonly seed?: number
  /** The beginning of every sample, which the model goes on from. */
  readonly continueFrom?: string
  /** Asks for the log-probability of each draft, where the model can tell it. */
  readonly likelihood?: boolean
  /** Called for each sample once its end was delivered: with its candidate, or undefined when it failed. */
  readonly ended?: (sample: number, candidate: number | undefined) => void
}

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

  *complete(
    chunk: Extract<GenerationChunk, { type: 'finish' }>,
  ): Generator<StrategyEvent, void, void> {
    const { sample, reason, outputTokens, logProbability } = chunk
    const candidate = yield* this.reveal(sample)
    this.#open.delete(sample)
    this.#refinement.pool.note(candidate, {
      tokens: outputTokens,
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

/** `wanted`: log-probabilities are told with the text. */
function* take(
  block: Block,
  chunk: GenerationChunk,
  wanted: boolean,
): Generator<StrategyEvent, void, void> {
  switch (chunk.type) {
    case 'delta': {
      const logprobs = wanted ? (chunk.tokens ?? []).map(logprobOf) : []
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

const requestOf = ({ task, context }: Refinement, call: SampleCall): GenerationRequest => {
  const { model, messages, samples, sampling, likelihood, continueFrom } = call
  const asked = task.topLogProbabilities ?? (likelihood === true ? 0 : undefined)
  const alternatives = model.capabilities.log_probabilities === 'none' ? undefined : asked
  return {
    messages,
    samples,
    sampling,
    seed: call.seed ?? context.random.seed(),
    ...formFields(task),
    ...(alternatives !== undefined && { topLogProbabilities: alternatives }),
    ...(continueFrom !== undefined && { continueFrom }),
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
  const wanted = task.topLogProbabilities !== undefined
  const block = new Block(call, refinement)
  try {
    for await (const chunk of model.generate(request, { signal: context.signal })) {
      yield* take(block, chunk, wanted)
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
