/** Samples candidates: one model call, one event per chunk. */
import type { CandidateRole, StrategyEvent } from '../../core/event.ts'
import { describeError, RefineError } from '../../core/errors.ts'
import type {
  GenerationChunk,
  LanguageModel,
  TokenLogProbability,
} from '../../core/language-model.ts'
import { peakednessOf } from '../../core/peakedness.ts'
import { merge } from '../../core/merge.ts'
import type { Message, Sampling, Task } from '../../core/task.ts'
import type { Events, Refinement } from '../compose.ts'
import { affordableSamples } from './allowance.ts'

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
  /** Asks for the log-probability of each sample even though no scorer does, where the model can tell it. */
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
    }
    this.#call.ended?.(sample, candidate)
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

function* take(block: Block, chunk: GenerationChunk): Generator<StrategyEvent, void, void> {
  switch (chunk.type) {
    case 'delta': {
      if (chunk.tokens !== undefined) block.listen(chunk.sample, chunk.tokens)
      if (chunk.text === '') return
      const candidate = yield* block.reveal(chunk.sample)
      yield { type: 'candidate.delta', candidate, text: chunk.text }
      return
    }
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
 * What the scorers of the run ask of the tokens. A likelihood is that of an answer to the task, so only drafts carry
 * theirs; how peaked the tokens were can be told of every text.
 */
const alternativesFor = (
  { context: { models, scorers } }: Refinement,
  { model, likelihood = false, role, continueFrom }: SampleCall,
): number | undefined => {
  if (model.capabilities.log_probabilities === 'none') return undefined
  const wanted = scorers.alternatives
  if (wanted !== undefined && wanted > 0) return wanted
  const isWhole = role === 'draft' && continueFrom === undefined && model.id === models.generator.id
  return isWhole && (likelihood || wanted !== undefined) ? 0 : undefined
}

/**
 * Samples from one call. A sample that fails is a failed candidate, not an exception; when the whole call fails, what
 * it had completed stays.
 * @throws RefineError when the whole call fails before any candidate of the run was completed or begun.
 */
export async function* sample(refinement: Refinement, call: SampleCall): Events {
  const { context, pool } = refinement
  const { model, messages, samples, sampling } = call
  const alternatives = alternativesFor(refinement, call)
  const request = {
    messages,
    samples,
    sampling,
    seed: call.seed ?? context.random.seed(),
    ...(alternatives === undefined ? {} : { topLogProbabilities: alternatives }),
    ...(call.continueFrom === undefined ? {} : { continueFrom: call.continueFrom }),
  }
  const block = new Block(call, refinement)
  try {
    for await (const chunk of model.generate(request, { signal: context.signal })) {
      yield* take(block, chunk)
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
