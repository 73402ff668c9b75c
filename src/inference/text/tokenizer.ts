/** Text to tokens, by the checkpoint's `tokenizer.json`. */
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { LRUCache } from 'lru-cache'
import path from 'node:path'
import { Type } from 'typebox'
import { readJson } from '../checkpoint/json-file.ts'
import { badModelFile } from '../checkpoint/tensor-source.ts'

/** Prompts are counted first and sent afterwards, so the last few are worth keeping. */
const KEPT_TEXTS = 64

const TokenizerFile = Type.Object({
  model: Type.Object({ vocab: Type.Record(Type.String(), Type.Integer()) }),
  added_tokens: Type.Optional(Type.Array(Type.Object({ content: Type.String() }))),
})

export interface Tokenizer {
  /** Special tokens in the text are recognised; none is added. The array must not be changed. */
  encode(text: string): readonly number[]
  tokenId(token: string): number | undefined
  /** UTF-16 units of the longest token: a text of n units has at least n / longest tokens. */
  readonly longestToken: number
}

/** @throws RefineError model_failed when the file is absent or not a tokenizer. */
export const readTokenizer = (folder: string, config: object): Tokenizer => {
  const contents = readJson(folder, 'tokenizer.json', TokenizerFile)
  let tokenizer: HuggingFaceTokenizer
  try {
    tokenizer = new HuggingFaceTokenizer(contents, config)
  } catch (cause) {
    const file = path.join(folder, 'tokenizer.json')
    throw badModelFile(file, `cannot be used as a tokenizer: ${String(cause)}`, cause)
  }
  const tokens = [
    ...Object.keys(contents.model.vocab),
    ...(contents.added_tokens ?? []).map(({ content }) => content),
  ]
  const kept = new LRUCache<string, readonly number[]>({ max: KEPT_TEXTS })
  return {
    encode: (text) => {
      const known = kept.get(text)
      if (known !== undefined) return known
      const { ids } = tokenizer.encode(text, { add_special_tokens: false })
      kept.set(text, ids)
      return ids
    },
    tokenId: (token) => tokenizer.token_to_id(token),
    longestToken: tokens.reduce((longest, { length }) => Math.max(longest, length), 1),
  }
}
