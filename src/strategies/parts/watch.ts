/**
 * Watches of one candidate while it is written, which may end it before its model does.
 *
 * Sources: a candidate whose tokens become unsure is given up, as in DeepConf's online mode (Fu et al. 2025; read in
 * facebookresearch/deepconf): the bar is a percentile of the lowest windows of the first candidates. A candidate whose
 * answer no longer changes is ended with that answer, as in Dynasor (Fu et al. 2024, arXiv:2412.20993; read in
 * hao-ai-lab/Dynasor): every `chunk` tokens the answer is asked for on a side branch, until `agree` of them in a row are
 * equal and none hesitates. Deviations: the window is a share of the usual length instead of 2,048 tokens; the stream
 * waits for each probe, so that where it ends does not depend on who is faster; the first candidates all keep their votes.
 */
import type { GenerationChunk } from '../../core/language-model.ts'
import { lowestWindow, peakednessOf } from '../../core/peakedness.ts'
import type { Message } from '../../core/task.ts'
import type { Events, Refinement } from '../compose.ts'
import { forceAnswer } from './forced-answer.ts'

type Delta = Extract<GenerationChunk, { type: 'delta' }>

/** How a candidate is ended: given up, or completed with something put behind it. */
export type Cut =
  | { readonly drop: string }
  | { readonly append: string; readonly outputTokens: number }

export type Watch = (delta: Delta) => Events<Cut | undefined>

/** The bar that the lowest window of a text must not fall below. */
export class ConfidenceBar {
  readonly #keep: number
  readonly #window: number
  #bar = -Infinity
  #width = 1

  /** Shares: of the first texts that would be kept, and of their mean length that the window takes. */
  constructor(keep: number, window: number) {
    this.#keep = keep
    this.#window = window
  }

  /** Sets the bar by the peakednesses of whole texts; texts without any say nothing. */
  learn(texts: readonly (readonly number[])[]): void {
    const known = texts.filter(({ length }) => length > 0)
    if (known.length === 0) return
    const mean = known.reduce((sum, { length }) => sum + length, 0) / known.length
    this.#width = Math.max(1, Math.ceil(this.#window * mean))
    const lowest = known
      .map((values) => lowestWindow(values, this.#width))
      .toSorted((left, right) => right - left)
    this.#bar = lowest[Math.ceil(this.#keep * lowest.length) - 1] ?? Infinity
  }

  /** For one text. */
  watch(): (delta: Delta) => Cut | undefined {
    const recent: number[] = []
    const [bar, width] = [this.#bar, this.#width]
    return ({ tokens = [] }) => {
      for (const token of tokens) {
        const peakedness = peakednessOf(token)
        if (peakedness === undefined) continue
        recent.push(peakedness)
        if (recent.length > width) recent.shift()
        const mean = recent.reduce((sum, value) => sum + value, 0) / width
        if (recent.length === width && mean < bar) return { drop: 'its words became unsure' }
      }
      return undefined
    }
  }
}

/** Dynasor's words of hesitation. */
const HESITATION = /\b(?:wait|hold|but|okay|no|hmm)\b/i
const BYTES_PER_TOKEN = 3

export interface ProbeRule {
  readonly chunk: number
  readonly agree: number
  /** Probes of one candidate at most. */
  readonly most: number
}

/** `seed`: of the first probe; the others count on from it. */
export const probing = (
  refinement: Refinement,
  messages: readonly Message[],
  { chunk: every, agree, most }: ProbeRule,
  seed: number,
): Watch => {
  const answers: (string | undefined)[] = []
  let [written, tokens] = ['', 0]
  return async function* (delta) {
    written += delta.text
    tokens += delta.tokens?.length ?? Math.ceil(Buffer.byteLength(delta.text) / BYTES_PER_TOKEN)
    if (answers.length >= most || tokens < every * (answers.length + 1)) return undefined
    const forced = yield* forceAnswer(refinement, messages, written, seed + answers.length)
    const hesitates = forced === undefined || HESITATION.test(forced.text)
    answers.push(hesitates ? undefined : forced.answer)
    const last = answers.slice(-agree)
    const isAgreed = last[0] !== undefined && last.every((answer) => answer === last[0])
    if (forced === undefined || last.length < agree || !isAgreed) return undefined
    return { append: forced.text, outputTokens: tokens + forced.tokens }
  }
}
