/** The bytes of a vocabulary as a tree, laid out in the order of a walk through it: a mask is one such walk. */
import type { Automaton, Configuration } from './automaton.ts'

/** Which tokens may come next. */
export interface TokenMask {
  /** One byte per token of the vocabulary, 1: may come. */
  readonly allowed: Uint8Array
  readonly count: number
  /** The one that comes next, where there is no choice. */
  readonly only: number | undefined
}

export interface TokenBytes {
  /** Empty for tokens that stand for no text. */
  bytes(token: number): Uint8Array
}

export class TokenTrie {
  readonly #vocabulary: number
  /** Tokens in the order of their bytes. */
  readonly #tokens: Int32Array
  /** Per node: its byte, the number of bytes above it, the first node behind its subtree, and its tokens. */
  readonly #byte: Uint8Array
  readonly #depth: Int32Array
  readonly #behind: Int32Array
  readonly #firstToken: Int32Array
  readonly #endToken: Int32Array

  /** `left`: tokens that never come. */
  constructor(text: TokenBytes, vocabulary: number, left: ReadonlySet<number>) {
    this.#vocabulary = vocabulary
    const written = sortedByBytes(text, vocabulary).filter(({ token }) => !left.has(token))
    this.#tokens = Int32Array.from(written, ({ token }) => token)
    const most = written.reduce((sum, { bytes }) => sum + bytes.length, 0)
    const numbers = (): Int32Array => new Int32Array(most)
    const [depths, behind, firstToken, endToken] = [numbers(), numbers(), numbers(), numbers()]
    const bytesOf = new Uint8Array(most)
    const path: number[] = []
    let nodes = 0
    const close = (depth: number): void => {
      while (path.length > depth) behind[path.pop()!] = nodes
    }
    for (const [index, { bytes }] of written.entries()) {
      close(commonLength(written[index - 1]?.bytes ?? '', bytes))
      for (let depth = path.length; depth < bytes.length; depth++, nodes++) {
        path.push(nodes)
        bytesOf[nodes] = bytes.charCodeAt(depth)
        depths[nodes] = depth
        firstToken[nodes] = endToken[nodes] = index
      }
      endToken[path.at(-1)!] = index + 1
    }
    close(0)
    this.#byte = bytesOf.slice(0, nodes)
    this.#depth = depths.slice(0, nodes)
    this.#behind = behind.slice(0, nodes)
    this.#firstToken = firstToken.slice(0, nodes)
    this.#endToken = endToken.slice(0, nodes)
  }

  /**
   * Tokens whose bytes the automaton can read from this configuration; end tokens where the text may end. Where only one
   * text goes on from here, and no token reads beyond what is certain of it, the longest token is the only one: shorter
   * ones would spell the same text in more steps, and less like the texts that models have seen.
   */
  mask(automaton: Automaton, from: Configuration, endTokens: Iterable<number>): TokenMask {
    const allowed = new Uint8Array(this.#vocabulary)
    const path: Configuration[] = [from]
    let count = 0
    let longest = { token: 0, length: 0 }
    const allow = (token: number): void => {
      count += 1 - allowed[token]!
      allowed[token] = 1
    }
    for (let node = 0; node < this.#byte.length;) {
      const depth = this.#depth[node]!
      const next = automaton.step(path[depth]!, this.#byte[node]!)
      if (next === undefined) {
        node = this.#behind[node]!
        continue
      }
      path[depth + 1] = next
      const end = this.#endToken[node]!
      for (let index = this.#firstToken[node]!; index < end; index++) {
        if (depth >= longest.length) longest = { token: this.#tokens[index]!, length: depth + 1 }
        allow(this.#tokens[index]!)
      }
      node++
    }
    if (count > 0 && isForced(automaton, from, longest.length)) {
      allowed.fill(0)
      allowed[longest.token] = 1
      return { allowed, count: 1, only: longest.token }
    }
    if (from.accepts) for (const token of endTokens) allow(token)
    return { allowed, count, only: undefined }
  }
}

/** Whether the next bytes, so many of them, are certain. */
const isForced = (automaton: Automaton, from: Configuration, length: number): boolean => {
  let at: Configuration | undefined = from
  for (let index = 0; index < length; index++) {
    const byte = automaton.onlyByte(at)
    at = byte === undefined ? undefined : automaton.step(at, byte)
    if (at === undefined) return false
  }
  return true
}

/** Bytes as strings of one unit each, which the runtime compares faster. */
const sortedByBytes = (text: TokenBytes, vocabulary: number) =>
  Array.from({ length: vocabulary }, (_, token) => {
    const { buffer, byteOffset, length } = text.bytes(token)
    return { token, bytes: Buffer.from(buffer, byteOffset, length).toString('latin1') }
  })
    .filter(({ bytes }) => bytes.length > 0)
    .toSorted((left, right) => (left.bytes < right.bytes ? -1 : Number(left.bytes > right.bytes)))

const commonLength = (left: string, right: string): number => {
  let length = 0
  while (length < left.length && length < right.length && left[length] === right[length]) length++
  return length
}
