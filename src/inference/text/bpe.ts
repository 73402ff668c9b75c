/** Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909, section 3.2), to the letter as the crate `tokenizers` has it. */
import type { TokenizerFile } from '../checkpoint/tokenizer-file.ts'
import { PairTable } from './pair-table.ts'
import { byteTokens, PIECE, vocabularyOf, type InPieces, type WordModel } from './word-model.ts'

interface BpeFields {
  readonly merges?: readonly (string | readonly [string, string])[]
  readonly unk_token?: string | null
  readonly fuse_unk?: boolean
  readonly byte_fallback?: boolean
  readonly ignore_merges?: boolean
  readonly continuing_subword_prefix?: string | null
  readonly end_of_word_suffix?: string | null
}

/** In the place of a token that became a part of the one before it. */
const GONE = -1
/** Ranks are below this, places in a word too. */
const PLACES = 2 ** 31

/** Smallest number first. */
class Queue {
  readonly #heap: number[] = []

  get size(): number {
    return this.#heap.length
  }

  push(key: number): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]! <= key) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = key
  }

  /** There must be one. */
  pop(): number {
    const heap = this.#heap
    const [first, last] = [heap[0]!, heap.pop()!]
    const { length } = heap
    if (length === 0) return first
    let at = 0
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && heap[child + 1]! < heap[child]!) child++
      if (heap[child]! >= last) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

const pairOf = (merge: string | readonly [string, string]): readonly [string, string] => {
  if (typeof merge !== 'string') return merge
  const space = merge.indexOf(' ')
  return [merge.slice(0, space), merge.slice(space + 1)]
}

export class Bpe implements WordModel {
  readonly #ids: ReadonlyMap<string, number>
  readonly #fields: BpeFields
  readonly #unknown: number | undefined
  /** Ranks by the tokens that are merged, and what each merge makes. */
  readonly #ranks: PairTable
  readonly #merged: Int32Array

  /** @throws Error for what it does not know, or a merge of tokens that are none. */
  constructor(contents: TokenizerFile) {
    const fields = contents.model as BpeFields
    if (fields.continuing_subword_prefix || fields.end_of_word_suffix)
      throw new Error('its BPE marks the places of tokens in a word')
    this.#fields = fields
    this.#ids = new Map(vocabularyOf(contents))
    this.#unknown = fields.unk_token ? this.#ids.get(fields.unk_token) : undefined
    const merges = fields.merges ?? []
    this.#ranks = new PairTable(merges.length)
    this.#merged = new Int32Array(merges.length)
    for (const [rank, merge] of merges.entries()) {
      const [left, right] = pairOf(merge)
      const [first, second, both] = [left, right, left + right].map((token) => this.#ids.get(token))
      if (first === undefined || second === undefined || both === undefined)
        throw new Error(`it merges ${JSON.stringify(pairOf(merge))}, which are no tokens`)
      this.#ranks.set(first, second, rank)
      this.#merged[rank] = both
    }
  }

  *encode(word: string): InPieces<readonly number[]> {
    const whole = this.#fields.ignore_merges === true ? this.#ids.get(word) : undefined
    if (whole !== undefined) return [whole]
    const tokens = yield* this.#symbols(word)
    return tokens.length < 2 ? tokens : yield* this.#merge(Int32Array.from(tokens))
  }

  /** The characters as tokens. */
  *#symbols(word: string): InPieces<readonly number[]> {
    const { byte_fallback: hasBytes = false, fuse_unk: fuses = false } = this.#fields
    const tokens: number[] = []
    let isUnknown = false
    let steps = 0
    for (const character of word) {
      if (++steps % PIECE === 0) yield
      const token = this.#ids.get(character)
      const bytes = token === undefined && hasBytes ? byteTokens(character, this.#ids) : undefined
      const known = token === undefined ? bytes : [token]
      if (known !== undefined) tokens.push(...known)
      else if (this.#unknown !== undefined && !(fuses && isUnknown)) tokens.push(this.#unknown)
      isUnknown = known === undefined
    }
    return tokens
  }

  /** Merges the pair of the lowest rank, the first of several, until there is none; `tokens` becomes the result. */
  *#merge(tokens: Int32Array): InPieces<readonly number[]> {
    const { length } = tokens
    /** Places of the neighbours; `length` and -1 at the ends. */
    const next = Int32Array.from(tokens, (_, at) => at + 1)
    const previous = Int32Array.from(tokens, (_, at) => at - 1)
    const queue = new Queue()
    const offer = (at: number): void => {
      if (at < 0 || next[at]! >= length) return
      const rank = this.#ranks.get(tokens[at]!, tokens[next[at]!]!)
      if (rank >= 0) queue.push(rank * PLACES + at)
    }
    for (let at = 0; at < length - 1; at++) {
      if (at % PIECE === PIECE - 1) yield
      offer(at)
    }
    for (let steps = 1; queue.size > 0; steps++) {
      if (steps % PIECE === 0) yield
      const key = queue.pop()
      const [rank, at] = [Math.floor(key / PLACES), key % PLACES]
      const right = next[at]!
      // Merged meanwhile, or a neighbour was.
      if (tokens[at] === GONE || right >= length) continue
      const now = this.#ranks.get(tokens[at]!, tokens[right]!)
      if (now < 0 || this.#merged[now] !== this.#merged[rank]) continue
      tokens[at] = this.#merged[rank]!
      tokens[right] = GONE
      next[at] = next[right]!
      if (next[at]! < length) previous[next[at]!] = at
      offer(previous[at]!)
      offer(at)
    }
    return Array.from(tokens.filter((token) => token !== GONE))
  }
}
