/** One response of ID-sampling: stages of one text, each with a larger allowance, a reflection between them. */
import { answerOf } from '../../core/answer.ts'
import { describeError, RefineError } from '../../core/errors.ts'
import type { FinishReason, StrategyEvent } from '../../core/event.ts'
import type { GenerationRequest, TokenLogProbability } from '../../core/language-model.ts'
import { peakednessOf } from '../../core/peakedness.ts'
import type { Message } from '../../core/task.ts'
import type { Events, Refinement } from '../compose.ts'
import { affordsCall } from './allowance.ts'
import { draftSampling } from './draft.ts'
import { forceAnswer } from './forced-answer.ts'
import { completedBy, toldOf } from './sample-events.ts'
import { shownOrUsed } from './sample-request.ts'

/** In tokens. */
export interface Schedule {
  readonly allowance: number
  readonly growth: number
  readonly triggers: number
  readonly limit: number
}

/** Tokens that the response may have in all by the end of a stage, counted from 0; the last stage may use all. */
export const allowanceAt = (
  { allowance, growth, triggers, limit }: Schedule,
  stage: number,
): number => (stage >= triggers ? limit : Math.min(limit, Math.floor(allowance * growth ** stage)))

export class Deepening {
  readonly #refinement: Refinement
  readonly #messages: readonly Message[]
  readonly #schedule: Schedule
  readonly #seeds: readonly number[]
  readonly #responses: number
  #candidate: number | undefined
  #text = ''
  #tokens = 0
  readonly #confidences: number[] = []
  #reason: FinishReason | undefined
  /** Which ended the last stage. */
  #stopString: string | undefined

  /** `seeds`: one per stage; `responses`: how many are written side by side. */
  constructor(
    refinement: Refinement,
    messages: readonly Message[],
    schedule: Schedule,
    seeds: readonly number[],
    responses: number,
  ) {
    this.#refinement = refinement
    this.#messages = messages
    this.#schedule = schedule
    this.#seeds = seeds
    this.#responses = responses
  }

  /** Returns the completed candidate, or undefined when the first stage failed (a failed candidate is told). */
  async *write(): Events<number | undefined> {
    let previous: string | undefined
    for (let stage = 0; stage <= this.#schedule.triggers; stage++) {
      if (stage > 0 && !this.#mayGoOn(stage)) break
      const failure = yield* this.#attempt(stage)
      if (failure !== undefined) return yield* this.#endFailed(failure)
      if (this.#reason !== 'stop' && this.#reason !== 'length') break
      const answer = answerOf(this.#text)
      if (stage > 0 && answer !== undefined && answer === previous) break
      previous = answer
    }
    if (this.#reason === 'length') yield* this.#force()
    return yield* this.#complete()
  }

  /** A text that ran out of its last allowance is made to end with an answer, where the budget allows it. */
  async *#force(): Events {
    const seed = this.#seeds.at(-1)! + 1
    const forced = yield* forceAnswer(this.#refinement, this.#messages, this.#text, seed)
    if (forced?.answer === undefined) return
    this.#tokens += forced.tokens
    this.#reason = 'stop'
    yield* this.#append(forced.text)
  }

  #mayGoOn(stage: number): boolean {
    const { context } = this.#refinement
    const model = context.models.generator
    const room = allowanceAt(this.#schedule, stage) - this.#tokens
    const said = { role: 'assistant', content: this.#text + this.#reflection } as const
    const input = model.countTokens([...this.#messages, said])
    const longest = model.contextLength ?? Infinity
    return room > 0 && input + room <= longest && affordsCall(context, model, input, room)
  }

  get #reflection(): string {
    return this.#refinement.context.prompts.generator.reflection
  }

  #request(stage: number): GenerationRequest {
    const { task, context } = this.#refinement
    const { scorers, models } = context
    const alternatives = shownOrUsed(this.#refinement, models.generator, scorers.alternatives)
    const room = allowanceAt(this.#schedule, stage) - this.#tokens
    return {
      messages: this.#messages,
      samples: 1,
      sampling: { ...draftSampling(task, this.#responses), max_tokens: room },
      seed: this.#seeds[stage]!,
      ...(alternatives === undefined ? {} : { topLogProbabilities: alternatives }),
      ...(stage === 0 ? {} : { continueFrom: this.#text + this.#reflection }),
    }
  }

  /** Writes one stage; returns what made it fail, if anything did. */
  async *#attempt(stage: number): Events<RefineError | undefined> {
    const { context } = this.#refinement
    const { signal } = context
    try {
      let begun = false
      for await (const chunk of context.models.generator.generate(this.#request(stage), {
        signal,
      })) {
        if (chunk.type === 'warning') yield chunk
        if (chunk.type === 'warning' || chunk.type === 'usage' || chunk.type === 'tool_call')
          continue
        if (chunk.type === 'failure') return chunk.error
        if (!begun) yield* this.#begin(stage)
        begun = true
        if (chunk.type === 'delta') {
          this.#listen(chunk.tokens ?? [])
          yield* this.#append(chunk.text, chunk.tokens)
        } else {
          this.#tokens += chunk.outputTokens
          this.#reason = chunk.reason.unified
          this.#stopString = chunk.stopString
        }
      }
      return begun
        ? undefined
        : new RefineError('model_failed', 'The model ended without an answer.')
    } catch (thrown) {
      if (!(thrown instanceof RefineError) || signal.aborted) throw thrown
      return thrown
    }
  }

  /** The first sign of life of a stage: the candidate itself, or the reflection that was put in. */
  *#begin(stage: number): Generator<StrategyEvent, void, void> {
    if (stage === 0) return yield* this.#create()
    const from = allowanceAt(this.#schedule, stage - 1)
    const to = allowanceAt(this.#schedule, stage)
    const values = { candidate: this.#candidate!, reflection: stage, from, to }
    yield { type: 'gate.decided', gate: 'allowance', outcome: 'reflect', values }
    yield* this.#append(this.#reflection)
  }

  #listen(tokens: readonly TokenLogProbability[]): void {
    const heard = tokens.map(peakednessOf).filter((peakedness) => peakedness !== undefined)
    this.#confidences.push(...heard)
  }

  *#create(): Generator<StrategyEvent, void, void> {
    const { context, pool } = this.#refinement
    this.#candidate = pool.allocate()
    yield {
      type: 'candidate.created',
      candidate: this.#candidate,
      parents: [],
      round: 0,
      model: context.models.generator.id,
      role: 'draft',
    }
  }

  *#append(
    text: string,
    tokens?: readonly TokenLogProbability[],
  ): Generator<StrategyEvent, void, void> {
    const told = toldOf(this.#refinement, text, tokens)
    if (told === undefined) return
    this.#text += text
    yield { type: 'candidate.delta', candidate: this.#candidate!, ...told }
  }

  *#complete(): Generator<StrategyEvent, number, void> {
    const candidate = this.#candidate!
    const confidences = this.#confidences
    this.#refinement.pool.note(candidate, { tokens: this.#tokens, confidences })
    const [reason, stopString] = [this.#reason ?? 'other', this.#stopString]
    yield completedBy(candidate, { reason, stopString, outputTokens: this.#tokens })
    return candidate
  }

  /** A later stage that fails leaves the text of the earlier ones; the first one leaves nothing. */
  *#endFailed(error: RefineError): Generator<StrategyEvent, number | undefined, void> {
    if (this.#reason !== undefined) {
      yield { type: 'warning', code: error.code, message: error.message }
      this.#reason = 'other'
      this.#stopString = undefined
      return yield* this.#complete()
    }
    if (this.#candidate === undefined) yield* this.#create()
    this.#refinement.pool.fail(error)
    yield { type: 'candidate.failed', candidate: this.#candidate!, error: describeError(error) }
    return undefined
  }
}
