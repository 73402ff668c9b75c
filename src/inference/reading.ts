/** What is read off a prompt while it is computed: likelihoods of tokens, scores of labels, or the mean hidden state. */
import type { DecoderShape } from './checkpoint/model-config.ts'
import { checkFinite } from './finite-values.ts'
import type { ScoreWork } from './protocol.ts'
import type { HeadInputs } from './runtime/head-inputs.ts'
import type { Outputs } from './runtime/session.ts'

/** A request's results as they come in, chunk by chunk. */
export interface Reading {
  readonly work: ScoreWork
  readonly values: Float32Array
  /** The first position that is looked at. */
  readonly first: number
}

export const createReading = (work: ScoreWork, { hidden }: DecoderShape): Reading => {
  if (work.wanted === 'mean') return { work, values: new Float32Array(hidden), first: 0 }
  const values = new Float32Array(work.positions.length * work.columns)
  return { work, values, first: work.positions[0] ?? work.tokens.length }
}

/** A chunk of a text in a run: `count` of its tokens from `start` on, which lie at `at` among the run's. */
export interface ReadingPart {
  readonly reading: Reading
  readonly start: number
  readonly count: number
  readonly at: number
}

/** The part's positions: which of those asked for they are, and where they lie in the run. */
const wantedIn = ({ reading: { work }, start, count, at }: ReadingPart) => {
  if (work.wanted === 'mean') return []
  return [...work.positions.entries()]
    .filter(([, position]) => position >= start && position < start + count)
    .map(([index, position]) => ({ index, row: at + position - start }))
}

/** Tokens whose logits are wanted at a position, filled up to the width of the run. */
const targetsAt = ({ work }: Reading, index: number, columns: number): number[] =>
  Array.from({ length: columns }, (_, column) =>
    work.wanted === 'log_probabilities' && column < work.columns
      ? work.targets[index * work.columns + column]!
      : 0,
  )

const OUTPUTS: Readonly<Record<ScoreWork['wanted'], readonly string[]>> = {
  log_probabilities: ['target_logits', 'normaliser'],
  labels: ['labels'],
  mean: ['hidden'],
}

export const headFor = (parts: readonly ReadingPart[]): HeadInputs => {
  const columns = parts.reduce(
    (most, { reading: { work } }) =>
      work.wanted === 'log_probabilities' ? Math.max(most, work.columns) : most,
    1,
  )
  const wanted = parts.flatMap((part) =>
    wantedIn(part).map((position) => ({ ...position, reading: part.reading })),
  )
  const targets = wanted.flatMap(({ reading, index }) => targetsAt(reading, index, columns))
  const busy = parts.filter((part) => part.reading.work.wanted === 'mean' || wantedIn(part).length)
  return {
    rows: BigInt64Array.from(wanted, ({ row }) => BigInt(row)),
    targets: BigInt64Array.from(targets, BigInt),
    outputs: [...new Set(busy.flatMap(({ reading }) => OUTPUTS[reading.work.wanted]))],
  }
}

const addMean = ({ reading, count, at }: ReadingPart, hidden: Outputs[string]): void => {
  const { values, work } = reading
  for (let index = 0; index < count; index++)
    for (let element = 0; element < values.length; element++)
      values[element]! += hidden[(at + index) * values.length + element]! / work.tokens.length
}

/** Puts what the run of `headFor` gave where the requests wait for it. @throws RefineError model_failed when it is no numbers. */
export const readResults = (parts: readonly ReadingPart[], head: Outputs): void => {
  const rows = parts.reduce((sum, part) => sum + wantedIn(part).length, 0)
  let row = 0
  for (const part of parts) {
    const { work, values } = part.reading
    if (work.wanted === 'mean') {
      addMean(part, head['hidden']!)
      checkFinite(values)
      continue
    }
    const results = head[work.wanted === 'labels' ? 'labels' : 'target_logits']
    if (results === undefined) continue
    const stride = results.length / rows
    for (const { index } of wantedIn(part)) {
      const shift = work.wanted === 'labels' ? 0 : head['normaliser']![row]!
      for (let column = 0; column < work.columns; column++)
        values[index * work.columns + column] = results[row * stride + column]! - shift
      row++
    }
    checkFinite(values)
  }
}
