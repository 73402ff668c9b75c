/** What makes tokens of the words that a text was cut into; one file beside this for each kind. */
import type { TokenizerFile } from '../checkpoint/tokenizer-file.ts'

/** Work in small pieces: between them other work may be done. */
export type InPieces<Result> = Generator<void, Result, void>

export interface WordModel {
  /** Tokens of a word, which may be a whole text. */
  encode(word: string): InPieces<readonly number[]>
}

/** Steps of one piece of work: a fraction of a millisecond. */
export const PIECE = 1024

/** Every token of the model with its id, without those that were added. */
export const vocabularyOf = ({ model: { vocab } }: TokenizerFile): [string, number][] =>
  Array.isArray(vocab) ? vocab.map(([token], id) => [token, id]) : Object.entries(vocab)

const utf8 = new TextEncoder()

/** Tokens of the bytes of a text, `<0x0A>` each; undefined when the vocabulary lacks one of them. */
export const byteTokens = (
  text: string,
  ids: ReadonlyMap<string, number>,
): readonly number[] | undefined => {
  const tokens = Array.from(utf8.encode(text), (byte) =>
    ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  )
  return tokens.includes(undefined) ? undefined : (tokens as number[])
}
