/** Holds samples to their constraints: constraints compiled once, masks made once per configuration, both bounded. */
import { LRUCache } from 'lru-cache'
import type { Automaton, Configuration } from './automaton.ts'
import { compileGrammar, type CompiledGrammar } from './compile.ts'
import type { Grammar, Opening } from './grammar.ts'
import { TokenTrie, type TokenBytes, type TokenMask } from './token-trie.ts'

const MAX_CONSTRAINTS = 32
const MAX_MASK_BYTES = 64 * 1024 * 1024

export interface GuideVocabulary {
  readonly text: TokenBytes
  readonly endTokens: ReadonlySet<number>
  /** Never sampled. */
  readonly suppressedTokens: ReadonlySet<number>
  /** Tokens that the model tells apart. */
  readonly size: number
}

export class ConstraintLibrary {
  readonly #vocabulary: GuideVocabulary
  readonly #compiled = new LRUCache<string, CompiledGrammar>({ max: MAX_CONSTRAINTS })
  readonly #masks = new LRUCache<Configuration, TokenMask>({
    maxSize: MAX_MASK_BYTES,
    sizeCalculation: ({ allowed }) => allowed.length,
  })
  #trie: TokenTrie | undefined

  constructor(vocabulary: GuideVocabulary) {
    this.#vocabulary = vocabulary
  }

  /** @throws RefineError invalid_request naming what cannot be held to. */
  compile(grammar: Grammar): CompiledGrammar {
    const key = JSON.stringify(grammar)
    let compiled = this.#compiled.get(key)
    if (compiled === undefined) {
      compiled = compileGrammar(grammar)
      this.#compiled.set(key, compiled)
    }
    return compiled
  }

  /** For one sample: held from its first token on, or from the first of the openings. */
  guide(automaton: Automaton, openings: readonly Opening[] = []): Guide {
    return new Guide(automaton, this, openings)
  }

  mask(automaton: Automaton, at: Configuration): TokenMask {
    const { text, size, endTokens, suppressedTokens: suppressed } = this.#vocabulary
    let mask = this.#masks.get(at)
    if (mask === undefined) {
      this.#trie ??= new TokenTrie(text, size, suppressed)
      const ends = [...endTokens].filter((token) => !suppressed.has(token))
      mask = this.#trie.mask(automaton, at, ends)
      this.#masks.set(at, mask)
    }
    return mask
  }

  bytes(token: number): Uint8Array {
    return this.#vocabulary.text.bytes(token)
  }
}

/** Where one sample stands in its constraint. */
export class Guide {
  readonly #automaton: Automaton
  readonly #library: ConstraintLibrary
  /** Undefined as long as the text is free. */
  #at: Configuration | undefined
  readonly #search: OpeningSearch | undefined

  constructor(automaton: Automaton, library: ConstraintLibrary, openings: readonly Opening[]) {
    this.#automaton = automaton
    this.#library = library
    if (openings.length === 0) this.#at = automaton.start
    else this.#search = new OpeningSearch(openings)
  }

  /** Undefined where every token may come. */
  get mask(): TokenMask | undefined {
    return this.#at && this.#library.mask(this.#automaton, this.#at)
  }

  /** The next token where the constraint leaves no choice; other tokens are masked there. */
  get forced(): number | undefined {
    return this.complete ? undefined : this.mask?.only
  }

  /** Whether the text is complete and nothing could be added to it. */
  get complete(): boolean {
    return this.#at !== undefined && this.#at.accepts && this.#at.threads.length === 0
  }

  /** Takes a token that the mask allowed, other than an end token. */
  take(token: number): void {
    const bytes = this.#library.bytes(token)
    if (this.#at === undefined) {
      this.#at = this.#search!.add(bytes, (found) =>
        this.#automaton.read(this.#automaton.start, found),
      )
      return
    }
    const next = this.#automaton.read(this.#at, bytes)
    if (next === undefined) throw new Error(`Token ${token} breaks the constraint.`)
    this.#at = next
  }
}

/** Looks for openings in a text as it grows. Bytes are held as strings of one unit each, which can be searched. */
class OpeningSearch {
  readonly #openings: readonly Opening[]
  readonly #longest: number
  #text = ''
  #isStart = true

  constructor(openings: readonly Opening[]) {
    this.#openings = openings.map(({ text, atStart }) => ({
      text: Buffer.from(text).toString('latin1'),
      atStart,
    }))
    this.#longest = Math.max(...this.#openings.map(({ text }) => text.length))
  }

  /** Gives all bytes from an opening on to `read` and returns what that makes of them; undefined where there is none. */
  add(
    bytes: Uint8Array,
    read: (found: Uint8Array) => Configuration | undefined,
  ): Configuration | undefined {
    this.#text += Buffer.from(bytes).toString('latin1')
    if (this.#isStart) this.#text = this.#text.trimStart()
    for (let at = this.#find(); at >= 0; at = this.#find()) {
      const found = read(Buffer.from(this.#text.slice(at), 'latin1'))
      if (found !== undefined) return found
      this.#text = this.#text.slice(at + 1)
      this.#isStart = false
    }
    if (this.#text.length >= this.#longest) {
      this.#text = this.#text.slice(this.#text.length - this.#longest + 1)
      this.#isStart = false
    }
    return undefined
  }

  /** Where the first opening begins, or -1. */
  #find(): number {
    const found = this.#openings.map(({ text, atStart }) => {
      const at = this.#text.indexOf(text)
      return at < 0 || (atStart && !(this.#isStart && at === 0)) ? Infinity : at
    })
    const first = Math.min(...found)
    return first === Infinity ? -1 : first
  }
}
