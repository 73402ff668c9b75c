/**
 * Power sampling: samples from p^α, the sharpened distribution of the model, by Metropolis–Hastings (Karan and Du 2025,
 * arXiv:2510.14901). A chain starts with a whole response; each step writes it anew from a random token on, and keeps
 * the new one with probability min(1, (p(new)/p(old))^(α−1) · |old|/|new|), the ratio of the targets times that of the
 * proposals: the suffix is drawn from p itself, the place evenly among the tokens.
 *
 * Deviations: proposals are drawn at temperature 1 instead of 1/α, because only then servers tell the probability of the
 * proposal; the whole response is one block instead of 16. A proposal is a candidate: completed when it is taken,
 * dropped when it is not.
 */
import { describeError, RefineError } from '../../core/errors.ts'
import type { StrategyEvent } from '../../core/event.ts'
import type { GenerationChunk, TokenLogProbability } from '../../core/language-model.ts'
import { peakednessOf } from '../../core/peakedness.ts'
import type { Sampling } from '../../core/task.ts'
import { tell, type Events, type Refinement } from '../compose.ts'
import { affordsCall } from './allowance.ts'
import { completedBy, toldOf } from './sample-events.ts'

/** Drawn beforehand, so that chains side by side do not depend on who is faster. */
export interface Draw {
  readonly seed: number
  /** In [0, 1): the place, and the bar of the acceptance. */
  readonly place: number
  readonly bar: number
}

type Token = TokenLogProbability

interface State {
  readonly candidate: number
  readonly tokens: readonly Token[]
}

type Finish = Extract<GenerationChunk, { type: 'finish' }>

const likelihood = (tokens: readonly Token[]): number =>
  tokens.reduce((sum, { logProbability }) => sum + logProbability, 0)

/** ln of the acceptance ratio; lengths in tokens, at least 1. */
export const logAcceptance = (
  alpha: number,
  proposed: { readonly logProbability: number; readonly length: number },
  held: { readonly logProbability: number; readonly length: number },
): number =>
  (alpha - 1) * (proposed.logProbability - held.logProbability) +
  Math.log(held.length / proposed.length)

export class PowerChain {
  readonly #refinement: Refinement
  readonly #alpha: number
  readonly #chains: number
  #state: State | undefined

  /** `chains`: how many walk side by side. */
  constructor(refinement: Refinement, alpha: number, chains: number) {
    this.#refinement = refinement
    this.#alpha = alpha
    this.#chains = chains
  }

  /**
   * One draw for the start and one for each step, as many as the budget allows. Returns where the chain ends; undefined
   * when it could not start.
   */
  async *walk([first, ...steps]: readonly Draw[]): Events<number | undefined> {
    if (first === undefined) return undefined
    yield* this.#propose(first, 0)
    if (this.#state === undefined) return undefined
    for (const draw of steps) {
      const kept = Math.floor(draw.place * this.#state.tokens.length)
      if (!this.#mayPropose(kept)) break
      yield* this.#propose(draw, kept)
    }
    return this.#state.candidate
  }

  /** Truncation would make the proposal another distribution than the one whose probabilities are told. */
  #sampling(kept: number): Sampling {
    const { max_tokens: most, stop } = this.#refinement.task.sampling
    return {
      temperature: 1,
      top_p: 1,
      ...(stop === undefined ? {} : { stop }),
      ...(most === undefined ? {} : { max_tokens: Math.max(1, most - kept) }),
    }
  }

  /** Every other chain may be about to make a call, too. */
  #mayPropose(kept: number): boolean {
    const { context, task } = this.#refinement
    const model = context.models.generator
    const input = model.countTokens(context.prompts.generator.solve(task)) + kept
    const { max_tokens: room = 1 } = this.#sampling(kept)
    return (
      context.budget.remaining('calls') >= this.#chains && affordsCall(context, model, input, room)
    )
  }

  async *#propose(draw: Draw, kept: number): Events {
    const { context, pool, task } = this.#refinement
    const model = context.models.generator
    const prefix = this.#state?.tokens.slice(0, kept) ?? []
    const continueFrom = prefix.map(({ text }) => text).join('')
    const request = {
      messages: context.prompts.generator.solve(task),
      samples: 1,
      sampling: this.#sampling(kept),
      seed: draw.seed,
      topLogProbabilities: Math.max(
        context.scorers.alternatives ?? 0,
        task.topLogProbabilities ?? 0,
      ),
      ...(continueFrom === '' ? {} : { continueFrom }),
    }
    const candidate = pool.allocate()
    const parents = this.#state === undefined ? [] : [this.#state.candidate]
    const role = parents.length === 0 ? 'draft' : 'revision'
    yield { type: 'candidate.created', candidate, parents, round: 0, model: model.id, role }
    const begun = continueFrom === '' ? undefined : toldOf(this.#refinement, continueFrom, prefix)
    if (begun !== undefined) yield { type: 'candidate.delta', candidate, ...begun }
    try {
      const chunks = model.generate(request, { signal: context.signal })
      yield* this.#follow(chunks, candidate, prefix, draw)
    } catch (thrown) {
      if (!(thrown instanceof RefineError) || context.signal.aborted) throw thrown
      pool.fail(thrown)
      yield { type: 'candidate.failed', candidate, error: describeError(thrown) }
    }
  }

  async *#follow(
    chunks: AsyncIterable<GenerationChunk>,
    candidate: number,
    prefix: readonly Token[],
    draw: Draw,
  ): Events {
    const tokens: Token[] = []
    let text = ''
    for await (const chunk of chunks) {
      if (chunk.type === 'failure') throw chunk.error
      if (chunk.type === 'warning') yield chunk
      if (chunk.type === 'finish') {
        return yield* this.#decide(
          candidate,
          [...prefix, ...whole(tokens, text, chunk)],
          chunk,
          draw,
        )
      }
      if (chunk.type !== 'delta') continue
      tokens.push(...(chunk.tokens ?? []))
      text += chunk.text
      const told = toldOf(this.#refinement, chunk.text, chunk.tokens)
      if (told === undefined) continue
      const full = tell(this.#refinement, { type: 'candidate.delta', candidate, ...told })
      if (full !== undefined) await full
    }
    throw new RefineError('model_failed', 'The model ended without an answer.')
  }

  *#decide(
    candidate: number,
    tokens: readonly Token[],
    { reason: { unified: reason }, outputTokens, logProbability, stopString }: Finish,
    { bar }: Draw,
  ): Generator<StrategyEvent, void, void> {
    if (this.#state !== undefined && !this.#accepts(tokens, this.#state.tokens, bar)) {
      yield { type: 'candidate.dropped', candidate, reason: 'not accepted: less likely' }
      return
    }
    const told = this.#state === undefined && logProbability !== undefined ? { logProbability } : {}
    const confidences = tokens.map(peakednessOf).filter((value) => value !== undefined)
    this.#refinement.pool.note(candidate, { tokens: outputTokens, confidences, ...told })
    this.#state = { candidate, tokens }
    yield completedBy(candidate, { reason, stopString, outputTokens })
  }

  #accepts(proposed: readonly Token[], held: readonly Token[], bar: number): boolean {
    const measured = (tokens: readonly Token[]) => ({
      logProbability: likelihood(tokens),
      length: Math.max(1, tokens.length),
    })
    return bar < Math.exp(logAcceptance(this.#alpha, measured(proposed), measured(held)))
  }
}

/** Where the tokens do not spell the text, the response is one token: only ever written anew as a whole. */
const whole = (
  tokens: readonly Token[],
  text: string,
  { logProbability = 0 }: Finish,
): readonly Token[] =>
  tokens.map((token) => token.text).join('') === text
    ? tokens
    : [{ text, logProbability, alternatives: [] }]
