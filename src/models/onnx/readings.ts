/** What a checkpoint can say of given texts without writing any: one pass, batched with everything else. */
import type {
  CallOptions,
  Embeddings,
  OutcomeScore,
  ScoringResult,
  StepScores,
} from '../../core/language-model.ts'
import type { Message } from '../../core/task.ts'
import type { Engine } from '../../inference/engine.ts'
import type { ScoreResult, ScoreWork } from '../../inference/protocol.ts'
import type { PromptEncoder } from './prompt.ts'

interface Conversation {
  readonly messages: readonly Message[]
}

/** How steps are told apart and judged. */
export type StepReading =
  /** The model reads a token after each step, and the likelihoods of two others are its verdict. */
  | { readonly type: 'marks'; readonly step: number; readonly good: number; readonly bad: number }
  /** The model scores labels at the last token of the text between steps; the last label says that it is right. */
  | { readonly type: 'labels'; readonly separator: string; readonly labels: number }

const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value))

/** Probability of the last label: by softmax, or by a sigmoid where there is only one. */
const lastLabel = (scores: Float32Array): number => {
  if (scores.length === 1) return sigmoid(scores[0]!)
  const highest = Math.max(...scores)
  const masses = Array.from(scores, (value) => Math.exp(value - highest))
  return masses.at(-1)! / masses.reduce((sum, mass) => sum + mass, 0)
}

export class Readings {
  readonly #engine: Engine
  readonly #encoder: PromptEncoder

  constructor(engine: Engine, encoder: PromptEncoder) {
    this.#engine = engine
    this.#encoder = encoder
  }

  async scoreText(
    request: Conversation & { readonly text: string },
    call: CallOptions,
  ): Promise<ScoringResult> {
    await this.#encoder.prepare(request.messages)
    const prompt = this.#encoder.prompt(request.messages)
    const answer = this.#encoder.further(request.text)
    const inputTokens = prompt.length + answer.length
    this.#encoder.checkLength(inputTokens)
    if (answer.length === 0) return { logProbability: 0, tokens: 0, inputTokens, cachedTokens: 0 }
    const work = {
      wanted: 'log_probabilities' as const,
      // The last token's successor is not asked for.
      tokens: Int32Array.from([...prompt, ...answer.slice(0, -1)]),
      positions: Int32Array.from(answer, (_, index) => prompt.length - 1 + index),
      targets: Int32Array.from(answer),
      columns: 1,
    }
    const { values, cachedTokens } = await this.#score(work, call)
    const logProbability = values.reduce((sum, value) => sum + value, 0)
    return { logProbability, tokens: answer.length, inputTokens, cachedTokens }
  }

  async scoreSteps(
    reading: StepReading,
    request: Conversation & { readonly steps: readonly string[] },
    call: CallOptions,
  ): Promise<StepScores> {
    await this.#encoder.prepare(request.messages)
    const { tokens, positions } = this.#placeSteps(reading, request)
    this.#encoder.checkLength(tokens.length)
    if (positions.length === 0) return { steps: [], inputTokens: tokens.length, cachedTokens: 0 }
    const text = { tokens, positions: Int32Array.from(positions) }
    const columns = reading.type === 'marks' ? 2 : reading.labels
    const { values, cachedTokens } = await this.#score(
      reading.type === 'labels'
        ? { ...text, wanted: 'labels', columns }
        : {
            ...text,
            wanted: 'log_probabilities',
            targets: Int32Array.from(positions.flatMap(() => [reading.bad, reading.good])),
            columns,
          },
      call,
    )
    const steps = positions.map((_, step) =>
      lastLabel(values.subarray(columns * step, columns * (step + 1))),
    )
    return { steps, inputTokens: tokens.length, cachedTokens }
  }

  /** How good the whole answer is, by the label scores at its end. */
  async scoreOutcome(
    labels: number,
    request: Conversation & { readonly text: string },
    call: CallOptions,
  ): Promise<OutcomeScore> {
    await this.#encoder.prepareConversation(request.messages, request.text)
    const tokens = this.#encoder.conversation(request.messages, request.text)
    this.#encoder.checkLength(tokens.length)
    const positions = Int32Array.of(tokens.length - 1)
    const work = { wanted: 'labels' as const, tokens, positions, columns: labels }
    const { values, cachedTokens } = await this.#score(work, call)
    return { score: lastLabel(values), inputTokens: tokens.length, cachedTokens }
  }

  async embed(
    { texts }: { readonly texts: readonly string[] },
    call: CallOptions,
  ): Promise<Embeddings> {
    for (const text of texts) await this.#encoder.prepareText(text)
    const encoded = texts.map((text) => Int32Array.from(this.#encoder.tokens(text)))
    for (const { length } of encoded) this.#encoder.checkLength(length)
    const vectors = await Promise.all(encoded.map((tokens) => this.#mean(tokens, call)))
    const inputTokens = encoded.reduce((sum, { length }) => sum + length, 0)
    return { vectors, inputTokens, cachedTokens: 0 }
  }

  #score(work: ScoreWork, { signal, priority }: CallOptions): Promise<ScoreResult> {
    return this.#engine.score({ ...work, priority }, signal)
  }

  async #mean(tokens: Int32Array, call: CallOptions): Promise<Float32Array> {
    if (tokens.length === 0) return new Float32Array()
    const { values } = await this.#score({ wanted: 'mean', tokens }, call)
    const length = Math.hypot(...values) || 1
    return values.map((value) => value / length)
  }

  #placeSteps(
    reading: StepReading,
    { messages, steps }: Conversation & { steps: readonly string[] },
  ) {
    const tokens = [...this.#encoder.prompt(messages)]
    const positions: number[] = []
    const marked = reading.type === 'marks'
    const between = marked ? this.#encoder.further('\n') : []
    const end = marked ? [reading.step] : this.#encoder.further(reading.separator)
    for (const step of steps) {
      if (positions.length > 0) tokens.push(...between)
      positions.push(tokens.push(...this.#encoder.further(step), ...end) - 1)
    }
    return { tokens: Int32Array.from(tokens), positions }
  }
}
