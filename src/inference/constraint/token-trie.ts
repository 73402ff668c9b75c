/** The bytes of a vocabulary as a tree, laid out in the order of a walk through it: a mask is one such walk. */
import type { Automaton, Configuration } from './automaton.ts'

/** Which tokens may come next. */
export interface TokenMask {
  /** One byte per token of the vocabulary, 1: may come. */
  readonly allowed: Uint8Array
  readonly count: number
}

export interface TokenBytes {
  /** Empty for tokens that stand for no text. */
  bytes(token: number): Uint8Array
}

export class TokenTrie {
  readonly #vocabulary: number
  /** Tokens in the order of their bytes. */
  readonly #tokens: readonly number[]
  /** Per node: its byte, the number of bytes above it, the first node behind its subtree, and its tokens. */
  readonly #byte: number[] = []
  readonly #depth: number[] = []
  readonly #behind: number[] = []
  readonly #firstToken: number[] = []
  readonly #endToken: number[] = []

  constructor(text: TokenBytes, vocabulary: number) {
    this.#vocabulary = vocabulary
    const written = Array.from({ length: vocabulary }, (_, token) => ({
      token,
      bytes: text.bytes(token),
    })).filter(({ bytes }) => bytes.length > 0)
    written.sort((left, right) => Buffer.compare(left.bytes, right.bytes))
    this.#tokens = written.map(({ token }) => token)
    const path: number[] = []
    const close = (depth: number): void => {
      while (path.length > depth) this.#behind[path.pop()!] = this.#byte.length
    }
    for (const [index, { bytes }] of written.entries()) {
      const before = written[index - 1]?.bytes ?? new Uint8Array()
      close(commonLength(before, bytes))
      for (let depth = path.length; depth < bytes.length; depth++) {
        path.push(this.#byte.push(bytes[depth]!) - 1)
        this.#depth.push(depth)
        this.#firstToken.push(index)
        this.#endToken.push(index)
      }
      this.#endToken[path.at(-1)!] = index + 1
    }
    close(0)
  }

  /** Tokens whose bytes the automaton can read from this configuration; end tokens where the text may end. */
  mask(automaton: Automaton, from: Configuration, endTokens: Iterable<number>): TokenMask {
    const allowed = new Uint8Array(this.#vocabulary)
    const path: Configuration[] = [from]
    for (let node = 0; node < this.#byte.length;) {
      const depth = this.#depth[node]!
      const next = automaton.step(path[depth]!, this.#byte[node]!)
      if (next === undefined) {
        node = this.#behind[node]!
        continue
      }
      path[depth + 1] = next
      const end = this.#endToken[node]!
      for (let index = this.#firstToken[node]!; index < end; index++)
        allowed[this.#tokens[index]!] = 1
      node++
    }
    if (from.accepts) for (const token of endTokens) allowed[token] = 1
    return { allowed, count: allowed.reduce((sum, bit) => sum + bit, 0) }
  }
}

const commonLength = (left: Uint8Array, right: Uint8Array): number => {
  let length = 0
  while (length < left.length && length < right.length && left[length] === right[length]) length++
  return length
}
