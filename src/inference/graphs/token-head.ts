/**
 * Logits, log-probabilities and the choice of the next token, inside the graph: a softmax over a large vocabulary in
 * JavaScript would cost more than the model itself, and so would bringing the logits out.
 *
 * Inputs, for R positions where logits are wanted:
 *   temperature  float32 [R, 1] above 0
 *   uniform      float32 [R, 1] in [0, 1)
 *   targets      int64 [R, M]   tokens whose logits are wanted
 *   top_count    int64 [1]      how many of the highest logits are wanted, at least 1
 * Outputs:
 *   drawn          int32 [R, 1] token drawn from softmax(logits / temperature) by inverting its distribution at `uniform`
 *   drawn_logit    float32 [R, 1]
 *   target_logits  float32 [R, M]
 *   top_logits     float32 [R, top_count], top_tokens int32 [R, top_count], highest first
 *   normaliser     float32 [R, 1]  log of the sum of exp(logits): log-probability = logit - normaliser
 *   scaled_mass    float32 [R, 1]  sum of exp((logits - highest) / temperature)
 *   logits         float32 [R, vocabulary]; only fetched where nothing less will do
 *
 * Tokens that are never sampled have no mass in a choice: drawn, top_* and scaled_mass leave them out, and logits give them
 * `SUPPRESSED`. target_logits and normaliser are of the whole distribution, as the model has it: a given text may hold them.
 */
import type { GraphBuilder } from './graph-builder.ts'

export const ALONG_VOCABULARY = { attributes: { axis: 1 } }
/** Largest float32 below 1: a draw never falls behind the last token of its block. */
const BELOW_ONE = 1 - 2 ** -24

/** Finite: shaders need not know infinities. Divided by any temperature, or with any penalty, it has no mass. */
const SUPPRESSED = -1e30

/** The divisor of the vocabulary nearest to its square root, so that a draw looks at few sums; 1 for a prime. */
const blockSize = (vocabulary: number): number => {
  for (let size = Math.floor(Math.sqrt(vocabulary)); size > 1; size--)
    if (vocabulary % size === 0) return vocabulary / size
  return vocabulary
}

/**
 * Inverts the cumulative distribution of `mass` [R, width] at `target` [R, 1], which lies in [0, sum). Returns the
 * position [R, 1] and the cumulative sums.
 */
const addInversion = (builder: GraphBuilder, mass: string, fraction: string, width: number) => {
  const cumulative = builder.node('CumSum', [mass, builder.integers([1], [])])
  const end = builder.integers([width])
  const total = builder.node('Slice', [
    cumulative,
    builder.integers([width - 1]),
    end,
    builder.integers([1]),
  ])
  const target = builder.node('Mul', [total, fraction])
  const passed = builder.cast(builder.node('LessOrEqual', [cumulative, target]), 'int64')
  const count = builder.node('ReduceSum', [passed, builder.integers([1])])
  const position = builder.node('Min', [count, builder.integers([width - 1])])
  return { cumulative, target, position }
}

/** Picks from each row of `values` what `at` names. */
export const gather = (builder: GraphBuilder, values: string, at: string): string =>
  builder.node('GatherElements', [values, at], ALONG_VOCABULARY)

/** Draws a token in two levels: first a block of the vocabulary, then a token in it. */
const addDraw = (builder: GraphBuilder, mass: string, uniform: string, vocabulary: number) => {
  const width = blockSize(vocabulary)
  const count = vocabulary / width
  const blocks = builder.node('Reshape', [mass, builder.integers([-1, count, width])])
  const sums = builder.node('ReduceSum', [blocks, builder.integers([2])], {
    attributes: { keepdims: 0 },
  })
  const first = addInversion(builder, sums, uniform, count)
  const sum = gather(builder, sums, first.position)
  const before = builder.node('Sub', [gather(builder, first.cumulative, first.position), sum])
  const within = builder.node('Div', [builder.node('Sub', [first.target, before]), sum])
  const fraction = builder.node('Clip', [
    within,
    builder.floats([0], []),
    builder.floats([BELOW_ONE], []),
  ])
  const block = builder.node('GatherND', [blocks, first.position], {
    attributes: { batch_dims: 1 },
  })
  const second = addInversion(builder, block, fraction, width)
  const start = builder.node('Mul', [first.position, builder.integers([width])])
  return builder.node('Add', [start, second.position])
}

/** Sum of exp((logits - highest) / temperature), and its terms. */
const addMass = (builder: GraphBuilder, logits: string, highest: string, temperature?: string) => {
  const below = builder.node('Sub', [logits, highest])
  const scaled = temperature === undefined ? below : builder.node('Div', [below, temperature])
  const terms = builder.node('Exp', [scaled])
  return { terms, sum: builder.node('ReduceSum', [terms, builder.integers([1])]) }
}

/** Names of what a choice is made by. */
export interface ChoiceInputs {
  readonly temperature: string
  readonly uniform: string
  readonly topCount: string
}

export const addChoiceInputs = (builder: GraphBuilder, rows: string): ChoiceInputs => ({
  temperature: builder.input('temperature', 'float32', [rows, 1]),
  uniform: builder.input('uniform', 'float32', [rows, 1]),
  topCount: builder.input('top_count', 'int64', [1]),
})

/** Draws from `logits` [rows, vocabulary] and finds the highest of them, which it returns [rows, 1]. */
export const addChoice = (
  builder: GraphBuilder,
  logits: string,
  { temperature, uniform, topCount }: ChoiceInputs,
  vocabulary: number,
  rows: string,
): string => {
  const [topLogits, topTokens] = builder.nodes('TopK', [logits, topCount], 2, ALONG_VOCABULARY)
  const highest = builder.node('Slice', [
    topLogits!,
    builder.integers([0]),
    builder.integers([1]),
    builder.integers([1]),
  ])
  const scaled = addMass(builder, logits, highest, temperature)
  const drawn = addDraw(builder, scaled.terms, uniform, vocabulary)
  builder.output('drawn', builder.cast(drawn, 'int32'), 'int32', [rows, 1])
  builder.output('drawn_logit', gather(builder, logits, drawn), 'float32', [rows, 1])
  builder.output('top_logits', topLogits!, 'float32', [rows, 'TOP'])
  builder.output('top_tokens', builder.cast(topTokens!, 'int32'), 'int32', [rows, 'TOP'])
  builder.output('scaled_mass', scaled.sum, 'float32', [rows, 1])
  return highest
}

/** `own`, [R, vocabulary], without what is never sampled, and the highest of them before that. */
const addSuppression = (
  builder: GraphBuilder,
  own: string,
  vocabulary: number,
  suppressed: readonly number[],
): { logits: string; ownHighest?: string } => {
  if (suppressed.length === 0) return { logits: own }
  const added = new Float32Array(vocabulary)
  for (const token of suppressed) added[token] = SUPPRESSED
  const logits = builder.node('Add', [own, builder.weight('suppression', added, [1, vocabulary])])
  return { logits, ownHighest: builder.node('ReduceMax', [own], { attributes: { axes: [1] } }) }
}

/** `own`, the model's logits, is [R, vocabulary]; `suppressed` tokens are never sampled. */
export const addTokenHead = (
  builder: GraphBuilder,
  own: string,
  vocabulary: number,
  suppressed: readonly number[],
): void => {
  const inputs = addChoiceInputs(builder, 'R')
  const targets = builder.input('targets', 'int64', ['R', 'M'])
  const { logits, ownHighest } = addSuppression(builder, own, vocabulary, suppressed)
  const chosen = addChoice(builder, logits, inputs, vocabulary, 'R')
  const highest = ownHighest ?? chosen
  const { sum } = addMass(builder, own, highest)
  const normaliser = builder.node('Add', [highest, builder.node('Log', [sum])])
  builder.output('target_logits', gather(builder, own, targets), 'float32', ['R', 'M'])
  builder.output('normaliser', normaliser, 'float32', ['R', 1])
  builder.output('logits', logits, 'float32', ['R', vocabulary])
}
