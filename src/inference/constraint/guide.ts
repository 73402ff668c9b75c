/** Holds samples to their constraints: constraints compiled once, masks made once per configuration, both bounded. */
import { LRUCache } from 'lru-cache'
import type { Constraint } from '../../core/language-model.ts'
import type { Automaton, Configuration } from './automaton.ts'
import { compileConstraint } from './compile.ts'
import { TokenTrie, type TokenBytes, type TokenMask } from './token-trie.ts'

const MAX_CONSTRAINTS = 32
const MAX_MASK_BYTES = 64 * 1024 * 1024

export interface GuideVocabulary {
  readonly text: TokenBytes
  readonly endTokens: ReadonlySet<number>
  /** Tokens that the model tells apart. */
  readonly size: number
}

export class ConstraintLibrary {
  readonly #vocabulary: GuideVocabulary
  readonly #automata = new LRUCache<string, Automaton>({ max: MAX_CONSTRAINTS })
  readonly #masks = new LRUCache<Configuration, TokenMask>({
    maxSize: MAX_MASK_BYTES,
    sizeCalculation: ({ allowed }) => allowed.length,
  })
  #trie: TokenTrie | undefined

  constructor(vocabulary: GuideVocabulary) {
    this.#vocabulary = vocabulary
  }

  /** @throws RefineError invalid_request naming what cannot be held to. */
  compile(constraint: Constraint): Automaton {
    const key = JSON.stringify(constraint)
    let automaton = this.#automata.get(key)
    if (automaton === undefined) {
      automaton = compileConstraint(constraint)
      this.#automata.set(key, automaton)
    }
    return automaton
  }

  /** For one sample. */
  guide(automaton: Automaton): Guide {
    return new Guide(automaton, this)
  }

  mask(automaton: Automaton, at: Configuration): TokenMask {
    const { text, size, endTokens } = this.#vocabulary
    let mask = this.#masks.get(at)
    if (mask === undefined) {
      this.#trie ??= new TokenTrie(text, size)
      mask = this.#trie.mask(automaton, at, endTokens)
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
  #at: Configuration

  constructor(automaton: Automaton, library: ConstraintLibrary) {
    this.#automaton = automaton
    this.#library = library
    this.#at = automaton.start
  }

  get mask(): TokenMask {
    return this.#library.mask(this.#automaton, this.#at)
  }

  /** The next token where the constraint leaves no choice; other tokens are masked there. */
  get forced(): number | undefined {
    return this.complete ? undefined : this.mask.only
  }

  /** Whether the text is complete and nothing could be added to it. */
  get complete(): boolean {
    return this.#at.accepts && this.#at.threads.length === 0
  }

  /** Takes a token that the mask allowed, other than an end token. */
  take(token: number): void {
    const next = this.#automaton.read(this.#at, this.#library.bytes(token))
    if (next === undefined) throw new Error(`Token ${token} breaks the constraint.`)
    this.#at = next
  }
}
