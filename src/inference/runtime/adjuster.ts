/** Chooses tokens for rows with penalties or a constraint, by a graph of its own that is made when first needed. */
import { writeAdjustedHead } from '../graphs/adjusted-head.ts'
import type { LogitChanges } from '../penalties.ts'
import { makeTensor, Session, type Outputs } from './session.ts'

export interface AdjustedRow {
  /** Index into the rows of the logits. */
  readonly row: number
  readonly temperature: number
  readonly uniform: number
  readonly changes: LogitChanges | undefined
  /** One byte per token of the vocabulary; undefined: all may come. */
  readonly allowed: Uint8Array | undefined
}

/** Changes nothing. */
const NO_CHANGES: LogitChanges = { tokens: [0], subtracted: [0], repetition: 1 }

export class Adjuster {
  readonly #vocabulary: number
  readonly #threads: number
  #session: Promise<Session> | undefined

  constructor(vocabulary: number, threads: number) {
    this.#vocabulary = vocabulary
    this.#threads = threads
  }

  /** `logits` holds whole rows of the vocabulary. Blocks this thread while it computes. */
  async run(
    logits: Float32Array,
    rows: readonly AdjustedRow[],
    topCount: number,
    outputs: readonly string[],
  ): Promise<Outputs> {
    this.#session ??= Session.create(writeAdjustedHead(this.#vocabulary), {
      threads: this.#threads,
      device: 'cpu', // logits and masks are in the memory of the processor
    })
    const session = await this.#session
    const column = (values: readonly number[]) =>
      makeTensor(Float32Array.from(values), [rows.length, 1])
    return session.run(
      {
        own_logits: makeTensor(logits, [logits.length / this.#vocabulary, this.#vocabulary]),
        rows: makeTensor(
          BigInt64Array.from(rows, ({ row }) => BigInt(row)),
          [rows.length],
        ),
        ...changeFeeds(rows.map(({ changes }) => changes ?? NO_CHANGES)),
        allowed: this.#allowed(rows),
        temperature: column(rows.map(({ temperature }) => temperature)),
        uniform: column(rows.map(({ uniform }) => uniform)),
        top_count: makeTensor(BigInt64Array.of(BigInt(topCount)), [1]),
      },
      outputs,
    )
  }

  #allowed(rows: readonly AdjustedRow[]) {
    if (rows.every(({ allowed }) => allowed === undefined))
      return makeTensor(new Uint8Array(rows.length).fill(1), [rows.length, 1])
    const all = new Uint8Array(rows.length * this.#vocabulary)
    for (const [index, { allowed }] of rows.entries()) {
      const start = index * this.#vocabulary
      if (allowed === undefined) all.fill(1, start, start + this.#vocabulary)
      else all.set(allowed, start)
    }
    return makeTensor(all, [rows.length, this.#vocabulary])
  }
}

/** As wide as the longest list; shorter ones name their first token again. */
const changeFeeds = (rows: readonly LogitChanges[]) => {
  const filled = rows.map((changes) => (changes.tokens.length === 0 ? NO_CHANGES : changes))
  const width = Math.max(...filled.map(({ tokens }) => tokens.length))
  const size = [rows.length, width]
  const tokens = new BigInt64Array(rows.length * width)
  const subtracted = new Float32Array(rows.length * width)
  for (const [row, changes] of filled.entries())
    for (let index = 0; index < width; index++) {
      const from = index < changes.tokens.length ? index : 0
      tokens[row * width + index] = BigInt(changes.tokens[from]!)
      subtracted[row * width + index] = changes.subtracted[from]!
    }
  return {
    tokens: makeTensor(tokens, size),
    subtracted: makeTensor(subtracted, size),
    repetition: makeTensor(
      Float32Array.from(filled, ({ repetition }) => repetition),
      [rows.length, 1],
    ),
  }
}
