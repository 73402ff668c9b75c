/**
 * Text to tokens, as a checkpoint's `tokenizer.json` says. The tokenizer library normalises texts and cuts them into words;
 * what is long or slow is done here, in small pieces, so that a long text need not block the thread.
 */
import { setImmediate as breath } from 'node:timers/promises'
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { LRUCache } from 'lru-cache'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { badModelFile } from '../checkpoint/tensor-source.ts'
import type { TokenizerFile } from '../checkpoint/tokenizer-file.ts'
import { AddedTokens } from './added-tokens.ts'
import { Bpe } from './bpe.ts'
import { readNormaliser } from './normaliser.ts'
import { libraryPreTokenizer } from './pre-tokenizer.ts'
import { standInsFor } from './token-text.ts'
import { Unigram } from './unigram.ts'
import { PIECE, vocabularyOf, type InPieces, type WordModel } from './word-model.ts'

/** Prompts are counted first and sent afterwards, so the last few are worth keeping. */
const KEPT_TEXTS = 64
/** Words that are short and kept; most texts repeat them. */
const KEPT_WORDS = 20_000
const SHORT_WORD = 64
/** Milliseconds of work between two pauses. */
const STRETCH = 5

export interface Tokenizer {
  /** Special tokens in the text are recognised; none is added. The array must not be changed. */
  encode(text: string): readonly number[]
  /** As `encode`, of a text that stands behind others: without the space that some tokenizers set before every text. */
  encodeFurther(text: string): readonly number[]
  /** Encodes the text with pauses for other work; `encode` then has its tokens at hand. */
  prepare(text: string): Promise<void>
  tokenId(token: string): number | undefined
  /** UTF-16 units of the longest token: a text of n units has at least n / longest tokens. */
  readonly longestToken: number
}

interface Step {
  readonly type?: string
  readonly normalizers?: readonly Step[]
  readonly pretokenizers?: readonly Step[]
}

const setsSpace = (contents: TokenizerFile): boolean =>
  [contents['normalizer'], contents['pre_tokenizer']]
    .map((step) => (step ?? {}) as Step)
    .flatMap((step) => [step, ...(step.normalizers ?? []), ...(step.pretokenizers ?? [])])
    .some(({ type }) => type === 'Prepend' || type === 'Metaspace')

/** Behind a line of its own, which keeps its tokens unless one spans its end; then the text is encoded alone. */
const behindLine = (encode: Tokenizer['encode'], text: string): readonly number[] => {
  const line = encode('\n')
  const both = encode(`\n${text}`)
  return line.every((id, index) => both[index] === id) ? both.slice(line.length) : encode(text)
}

const wordModelOf = (contents: TokenizerFile): WordModel => {
  const isList = Array.isArray(contents.model.vocab)
  const type = contents.model['type'] ?? (isList ? 'Unigram' : 'BPE')
  if (type === 'BPE' && !isList) return new Bpe(contents)
  if (type === 'Unigram' && isList) return new Unigram(contents)
  throw new Error(
    `its model is ${JSON.stringify(type)}: expected BPE or Unigram, with the vocabulary of its kind`,
  )
}

type SplitWords = (text: string, section: number) => readonly string[]

/** By the library, which wants a model too. @throws Error for what it does not know. */
const readSplitting = (steps: object | null): SplitWords => {
  if (steps === null) return (text) => [text]
  const model = { type: 'BPE', vocab: {}, merges: [] }
  const parts = { model, decoder: null, post_processor: null, normalizer: null, added_tokens: [] }
  const { pre_tokenizer: split } = new HuggingFaceTokenizer({ ...parts, pre_tokenizer: steps }, {})
  return (text, section) => split!.pre_tokenize(text, { section_index: section })
}

class Encoder {
  readonly #model: WordModel
  readonly #split: SplitWords
  readonly #spell: (word: string) => string
  readonly #normalise: (text: string) => InPieces<string>
  readonly #found: AddedTokens
  /** Found in what is normalised already. */
  readonly #foundLater: AddedTokens
  readonly #words = new Map<string, readonly number[]>()

  /** @throws Error for what is not known. */
  constructor(contents: TokenizerFile) {
    this.#model = wordModelOf(contents)
    const { steps, isByteLevel } = libraryPreTokenizer(contents['pre_tokenizer'])
    this.#split = readSplitting(steps)
    this.#spell = isByteLevel ? standInsFor : (word) => word
    const normalise = readNormaliser(contents['normalizer'])
    this.#normalise = normalise
    const added = contents.added_tokens ?? []
    const isLate = ({ normalized }: { normalized?: boolean }): boolean =>
      normalized === true && contents['normalizer'] != null
    const named = (late: boolean) =>
      added
        .filter((token) => isLate(token) === late)
        .map((token) => [late ? finish(normalise(token.content)) : token.content, token] as const)
    this.#found = new AddedTokens(named(false))
    this.#foundLater = new AddedTokens(named(true))
  }

  *encode(text: string): InPieces<readonly number[]> {
    const ids: number[] = []
    for (const [number, section] of this.#found.split(text).entries()) {
      if (typeof section === 'number') {
        ids.push(section)
        continue
      }
      const normal = yield* this.#normalise(section)
      for (const part of this.#foundLater.split(normal))
        if (typeof part === 'number') ids.push(part)
        else yield* this.#encodeWords(this.#split(part, number), ids)
    }
    return ids
  }

  *#encodeWords(words: readonly string[], ids: number[]): InPieces<void> {
    for (const [at, word] of words.entries()) {
      if (at % PIECE === PIECE - 1) yield
      let tokens = this.#words.get(word)
      if (tokens === undefined) {
        tokens = yield* this.#model.encode(this.#spell(word))
        if (word.length <= SHORT_WORD) {
          if (this.#words.size >= KEPT_WORDS) this.#words.clear()
          this.#words.set(word, tokens)
        }
      }
      for (const token of tokens) ids.push(token)
    }
  }
}

const finish = <Result>(work: InPieces<Result>): Result => {
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return value
  }
}

/** Does the same in stretches, between which the event loop has its turn. */
const finishGently = async <Result>(work: InPieces<Result>): Promise<Result> => {
  let since = performance.now()
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return value
    if (performance.now() - since < STRETCH) continue
    await breath()
    since = performance.now()
  }
}

/** @throws RefineError model_failed when there is none or it cannot be used. */
export const readTokenizer = (checkpoint: Checkpoint): Tokenizer => {
  const contents = checkpoint.tokenizer()
  let encoder: Encoder
  try {
    encoder = new Encoder(contents)
  } catch (cause) {
    const message = `its tokenizer cannot be used: ${String(cause)}`
    throw badModelFile(checkpoint.path, message, cause)
  }
  const added = (contents.added_tokens ?? []).map(({ content, id }) => [content, id] as const)
  const ids = new Map([...vocabularyOf(contents), ...added])
  const kept = new LRUCache<string, readonly number[]>({ max: KEPT_TEXTS })
  const encode = (text: string): readonly number[] => {
    const known = kept.get(text)
    if (known !== undefined) return known
    const tokens = finish(encoder.encode(text))
    kept.set(text, tokens)
    return tokens
  }
  const isSpaced = setsSpace(contents)
  return {
    encode,
    encodeFurther: (text) => (isSpaced && text !== '' ? behindLine(encode, text) : encode(text)),
    prepare: async (text) => {
      if (!kept.has(text)) kept.set(text, await finishGently(encoder.encode(text)))
    },
    tokenId: (token) => ids.get(token),
    longestToken: [...ids.keys()].reduce((longest, { length }) => Math.max(longest, length), 1),
  }
}
