/**
 * The likeliest way to cut a word into tokens, each with a likelihood of its own (Kudo 2018, arXiv:1804.10959, section 3.2),
 * to the letter as the crate `tokenizers` has it.
 */
import type { TokenizerFile } from '../checkpoint/tokenizer-file.ts'
import { PairTable } from './pair-table.ts'
import { byteTokens, PIECE, type InPieces, type WordModel } from './word-model.ts'

/** Below the least likely token. */
const UNKNOWN_PENALTY = 10
const ROOT = 0
const NONE = -1

interface Path {
  /** By place in the word, as the next two. */
  readonly scores: Float64Array
  /** Where the last token of the best path to a place begins; -1: there is none. */
  readonly starts: Int32Array
  readonly tokens: Int32Array
}

export class Unigram implements WordModel {
  readonly #ids: ReadonlyMap<string, number>
  readonly #scores: Float64Array
  readonly #unknown: number | undefined
  readonly #unknownScore: number
  readonly #hasBytes: boolean
  /** Children of nodes by UTF-16 unit, and the token that ends at a node, or -1. */
  readonly #children: PairTable
  readonly #ends: Int32Array

  /** @throws Error when the unknown token is none of the vocabulary. */
  constructor({ model }: TokenizerFile) {
    const vocabulary = model.vocab as readonly (readonly [string, number])[]
    this.#ids = new Map(vocabulary.map(([token], id) => [token, id]))
    this.#scores = Float64Array.from(vocabulary, ([, score]) => score)
    const unknown = model['unk_id'] as number | null | undefined
    if (unknown != null && vocabulary[unknown] === undefined)
      throw new Error(`its unk_id ${unknown} is no token`)
    this.#unknown = unknown ?? undefined
    const least = vocabulary.reduce((lowest, [, score]) => Math.min(lowest, score), Infinity)
    this.#unknownScore = least - UNKNOWN_PENALTY
    this.#hasBytes = model['byte_fallback'] === true
    const units = vocabulary.reduce((sum, [token]) => sum + token.length, 1)
    this.#children = new PairTable(units)
    this.#ends = new Int32Array(units + 1).fill(NONE)
    let nodes = 1
    for (const [token, id] of this.#ids) {
      let node = ROOT
      for (let at = 0; at < token.length; at++) {
        const unit = token.charCodeAt(at)
        const child = this.#children.get(node, unit)
        if (child < 0) this.#children.set(node, unit, nodes)
        node = child < 0 ? nodes++ : child
      }
      if (node !== ROOT) this.#ends[node] = id
    }
  }

  *encode(word: string): InPieces<readonly number[]> {
    const path = yield* this.#bestPath(word)
    const pieces: (number | string)[] = []
    for (let end = word.length; end > 0; end = path.starts[end]!) {
      const [token, text] = [path.tokens[end]!, word.slice(path.starts[end], end)]
      const later = pieces.at(-1)
      // What is unknown side by side is one unknown token.
      if (token !== this.#unknown) pieces.push(token)
      else if (typeof later === 'string') pieces[pieces.length - 1] = text + later
      else pieces.push(text)
    }
    return pieces
      .toReversed()
      .flatMap((piece) => (typeof piece === 'number' ? piece : this.#unknownTokens(piece)))
  }

  #unknownTokens(text: string): readonly number[] {
    const id = this.#ids.get(text)
    if (id !== undefined) return [id]
    return (this.#hasBytes ? byteTokens(text, this.#ids) : undefined) ?? [this.#unknown!]
  }

  *#bestPath(word: string): InPieces<Path> {
    const path: Path = {
      scores: new Float64Array(word.length + 1),
      starts: new Int32Array(word.length + 1).fill(NONE),
      tokens: new Int32Array(word.length + 1),
    }
    let steps = 0
    for (let start = 0; start < word.length;) {
      if (++steps % PIECE === 0) yield
      const width = word.codePointAt(start)! > 0xffff ? 2 : 1
      if (!this.#offerTokens(word, start, width, path)) {
        if (this.#unknown === undefined)
          throw new Error(
            `it has no token for ${word.slice(start, start + width)}, nor an unknown one`,
          )
        offer(path, start, start + width, this.#unknown, this.#unknownScore)
      }
      start += width
    }
    return path
  }

  /** Whether one of the tokens that begin here is the character alone. */
  #offerTokens(word: string, start: number, width: number, path: Path): boolean {
    let hasCharacter = false
    let node = this.#children.get(ROOT, word.charCodeAt(start))
    for (let end = start + 1; node >= 0; end++) {
      const token = this.#ends[node]!
      if (token !== NONE) {
        offer(path, start, end, token, this.#scores[token]!)
        hasCharacter ||= end === start + width
      }
      node = end < word.length ? this.#children.get(node, word.charCodeAt(end)) : NONE
    }
    return hasCharacter
  }
}

/** The first of equal paths stays. */
const offer = (path: Path, start: number, end: number, token: number, score: number): void => {
  const sum = path.scores[start]! + score
  if (path.starts[end] !== NONE && sum <= path.scores[end]!) return
  path.scores[end] = sum
  path.starts[end] = start
  path.tokens[end] = token
}
