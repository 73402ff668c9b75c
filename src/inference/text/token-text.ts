/** The bytes that each token stands for, without building a whole tokenizer. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { badModelFile } from '../checkpoint/tensor-source.ts'
import type { TokenizerFile } from '../checkpoint/tokenizer-file.ts'
import { vocabularyOf } from './word-model.ts'

/** GPT-2's printable stand-ins for the 256 bytes: those that print stand for themselves, the rest follow from U+0100. */
const byteOfCharacter = (): Map<string, number> => {
  const bytes = new Map<string, number>()
  let next = 256
  for (let byte = 0; byte < 256; byte++) {
    const prints =
      (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255)
    bytes.set(String.fromCodePoint(prints ? byte : next++), byte)
  }
  return bytes
}

const utf8 = new TextEncoder()
const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/

const STAND_INS = [...byteOfCharacter()]
  .toSorted(([, left], [, right]) => left - right)
  .map(([character]) => character)

/** A text with a stand-in for each of its bytes, as byte-level tokens are written. */
export const standInsFor = (text: string): string => {
  let spelled = ''
  for (const byte of utf8.encode(text)) spelled += STAND_INS[byte]!
  return spelled
}

const byteLevel = (): ((token: string) => Uint8Array) => {
  const bytes = byteOfCharacter()
  return (token) => {
    const codes = Array.from(token, (character) => bytes.get(character))
    return codes.includes(undefined)
      ? utf8.encode(token)
      : Uint8Array.from(codes as readonly number[])
  }
}

/** SentencePiece style: U+2581 is a space, `<0x0A>` a single byte. */
const metaspace = (token: string): Uint8Array => {
  const byte = BYTE_TOKEN.exec(token)?.[1]
  return byte === undefined
    ? utf8.encode(token.replaceAll('\u2581', ' '))
    : Uint8Array.of(Number.parseInt(byte, 16))
}

const decoderFor = (file: string, { decoder }: TokenizerFile) => {
  const types = new Set([decoder?.type, ...(decoder?.decoders ?? []).map(({ type }) => type)])
  if (types.has('ByteLevel')) return byteLevel()
  if (types.has('Metaspace') || types.has('ByteFallback') || types.has('Replace')) return metaspace
  throw badModelFile(file, 'the tokenizer’s decoder must be ByteLevel, Metaspace or ByteFallback')
}

export interface TokenText {
  /** Empty for special tokens and for ids that the vocabulary does not have. */
  bytes(token: number): Uint8Array
  /** The token alone, with U+FFFD where it holds a part of a character. */
  text(token: number): string
}

/**
 * @param spoken special tokens that stand for their own text
 * @throws RefineError model_failed when the tokenizer is absent or of a kind we do not know.
 */
export const readTokenText = (
  checkpoint: Checkpoint,
  spoken: readonly string[] = [],
): TokenText => {
  const contents = checkpoint.tokenizer()
  const decode = decoderFor(checkpoint.path, contents)
  // Added tokens are in no alphabet of bytes, but spaces are written alike in all tokens.
  const decodeAdded = decode === metaspace ? metaspace : (token: string) => utf8.encode(token)
  const empty = new Uint8Array()
  const table = new Map<number, Uint8Array>()
  for (const [token, id] of vocabularyOf(contents)) table.set(id, decode(token))
  for (const { id, content, special } of contents.added_tokens ?? [])
    table.set(id, special && !spoken.includes(content) ? empty : decodeAdded(content))
  const lossy = new TextDecoder('utf-8', { ignoreBOM: true })
  const bytes = (token: number): Uint8Array => table.get(token) ?? empty
  return { bytes, text: (token) => lossy.decode(bytes(token)) }
}
