/** Text to tokens, by the checkpoint's own tokenizer. */
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { LRUCache } from 'lru-cache'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { badModelFile } from '../checkpoint/tensor-source.ts'
import type { TokenizerFile } from '../checkpoint/tokenizer-file.ts'
import { libraryPreTokenizer } from './pre-tokenizer.ts'

/** Prompts are counted first and sent afterwards, so the last few are worth keeping. */
const KEPT_TEXTS = 64

export interface Tokenizer {
  /** Special tokens in the text are recognised; none is added. The array must not be changed. */
  encode(text: string): readonly number[]
  /** As `encode`, of a text that stands behind others: without the space that some tokenizers set before every text. */
  encodeFurther(text: string): readonly number[]
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

/** @throws RefineError model_failed when there is none or it cannot be used. */
export const readTokenizer = (checkpoint: Checkpoint): Tokenizer => {
  const contents = checkpoint.tokenizer()
  let tokenizer: HuggingFaceTokenizer
  try {
    const pre_tokenizer = libraryPreTokenizer(contents['pre_tokenizer'])
    tokenizer = new HuggingFaceTokenizer(
      { ...contents, pre_tokenizer },
      checkpoint.tokenizerConfig(),
    )
  } catch (cause) {
    const message = `its tokenizer cannot be used: ${String(cause)}`
    throw badModelFile(checkpoint.path, message, cause)
  }
  const tokens = [
    ...Object.keys(contents.model.vocab),
    ...(contents.added_tokens ?? []).map(({ content }) => content),
  ]
  const kept = new LRUCache<string, readonly number[]>({ max: KEPT_TEXTS })
  const encode = (text: string): readonly number[] => {
    const known = kept.get(text)
    if (known !== undefined) return known
    const { ids } = tokenizer.encode(text, { add_special_tokens: false })
    kept.set(text, ids)
    return ids
  }
  const isSpaced = setsSpace(contents)
  return {
    encode,
    encodeFurther: (text) => (isSpaced && text !== '' ? behindLine(encode, text) : encode(text)),
    tokenId: (token) => tokenizer.token_to_id(token),
    longestToken: tokens.reduce((longest, { length }) => Math.max(longest, length), 1),
  }
}
