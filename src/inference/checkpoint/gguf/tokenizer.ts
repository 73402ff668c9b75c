/** The tokenizer in a GGUF file's metadata, in the form of `tokenizer.json` and `tokenizer_config.json`. */
import type { TokenizerConfig, TokenizerFile } from '../tokenizer-file.ts'
import type { MetadataReader } from './config.ts'

/** Kinds of tokens, by the format's number for them. */
const UNKNOWN = 2
const CONTROL = 3
const USER_DEFINED = 4

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const REST = String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
/** Words with up to `digits` digits together, as the models after GPT-4's tokenizer split them. */
const words = (digits: string): string =>
  String.raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}${digits}|${REST}`
const TEKKEN = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`

const byteLevel = (useRegex: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
})
const sequence = (...pretokenizers: readonly object[]) => ({ type: 'Sequence', pretokenizers })
const splitBy = (pattern: string) =>
  sequence(
    { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
    byteLevel(false),
  )

interface Splitting {
  readonly pre_tokenizer: object
  readonly normalizer?: object
  /** Whether a word that is a token is taken whole, whatever the merges say. */
  readonly ignore_merges?: boolean
}

const GPT2: Splitting = { pre_tokenizer: byteLevel(true) }
const SINGLE_DIGITS: Splitting = {
  pre_tokenizer: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)),
}
const LLAMA3: Splitting = { pre_tokenizer: splitBy(words('{1,3}')), ignore_merges: true }

/** How the text is split before the merges, by `tokenizer.ggml.pre`. */
const SPLITTINGS: Readonly<Record<string, Splitting>> = {
  'gpt-2': GPT2,
  smollm: SINGLE_DIGITS,
  starcoder: SINGLE_DIGITS,
  refact: SINGLE_DIGITS,
  'llama-bpe': LLAMA3,
  llama3: LLAMA3,
  'llama-v3': LLAMA3,
  qwen2: { pre_tokenizer: splitBy(words('')), normalizer: { type: 'NFC' } },
  'deepseek-r1-qwen': { pre_tokenizer: splitBy(words('')), normalizer: { type: 'NFC' } },
  tekken: { pre_tokenizer: splitBy(TEKKEN), ignore_merges: true },
}

interface Vocabulary {
  readonly tokens: readonly string[]
  readonly vocab: Readonly<Record<string, number>>
  readonly added: NonNullable<TokenizerFile['added_tokens']>
}

const readVocabulary = (reader: MetadataReader): Vocabulary => {
  const key = 'tokenizer.ggml.tokens'
  const tokens = reader.needed(key, reader.texts(key))
  const types = reader.numbers('tokenizer.ggml.token_type') ?? []
  const added = tokens.flatMap((content, id) => {
    const special = types[id] === CONTROL || types[id] === UNKNOWN
    if (!special && types[id] !== USER_DEFINED) return []
    const exact = { single_word: false, lstrip: false, rstrip: false, normalized: false }
    return [{ id, content, special, ...exact }]
  })
  return { tokens, vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), added }
}

const byteLevelFile = (reader: MetadataReader): TokenizerFile => {
  const { vocab, added } = readVocabulary(reader)
  const name = reader.text('tokenizer.ggml.pre') ?? 'gpt-2'
  const splitting = SPLITTINGS[name]
  if (splitting === undefined)
    throw reader.expected(
      'tokenizer.ggml.pre',
      `to be one of ${Object.keys(SPLITTINGS).join(', ')}, found ${name}`,
    )
  const { pre_tokenizer, normalizer = null, ignore_merges = false } = splitting
  const merges = reader.texts('tokenizer.ggml.merges')
  return {
    added_tokens: added,
    normalizer,
    pre_tokenizer,
    post_processor: null,
    decoder: byteLevel(true),
    model: {
      type: 'BPE',
      vocab,
      merges: reader.needed('tokenizer.ggml.merges', merges),
      ignore_merges,
    },
  }
}

/** Every way to put a token together from two others, best scores first: the order in which SentencePiece merges. */
const mergesByScore = ({ tokens, vocab }: Vocabulary, scores: readonly number[]): string[][] => {
  const merges = tokens.flatMap((token, id) => {
    const characters = Array.from(token)
    const found: { pair: [string, string]; score: number }[] = []
    for (let length = 1; length < characters.length; length++) {
      const pair: [string, string] = [
        characters.slice(0, length).join(''),
        characters.slice(length).join(''),
      ]
      if (pair.every((part) => Object.hasOwn(vocab, part))) found.push({ pair, score: scores[id]! })
    }
    return found.toSorted(
      ({ pair: left }, { pair: right }) =>
        vocab[left[0]]! - vocab[right[0]]! || vocab[left[1]]! - vocab[right[1]]!,
    )
  })
  return merges.toSorted((left, right) => right.score - left.score).map(({ pair }) => pair)
}

const SPACE = '\u2581'

const sentencePieceFile = (reader: MetadataReader): TokenizerFile => {
  const vocabulary = readVocabulary(reader)
  const scores = reader.numbers('tokenizer.ggml.scores')
  if (scores?.length !== vocabulary.tokens.length)
    throw reader.expected('tokenizer.ggml.scores', 'to hold a number for each token')
  const unknown = vocabulary.tokens[reader.number('tokenizer.ggml.unknown_token_id') ?? 0]!
  const prefix = reader.flag('tokenizer.ggml.add_space_prefix') ?? true
  const decoders = [
    { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
  ]
  const spaces = { type: 'Replace', pattern: { String: ' ' }, content: SPACE }
  return {
    added_tokens: vocabulary.added,
    normalizer: {
      type: 'Sequence',
      normalizers: prefix ? [{ type: 'Prepend', prepend: SPACE }, spaces] : [spaces],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: 'Sequence', decoders },
    model: {
      type: 'BPE',
      vocab: vocabulary.vocab,
      merges: mergesByScore(vocabulary, scores),
      unk_token: unknown,
      byte_fallback: true,
      fuse_unk: true,
    },
  }
}

/** @throws RefineError model_failed naming the file and the metadata at fault, also for a kind we do not know. */
export const tokenizerOf = (reader: MetadataReader): TokenizerFile => {
  const kind = reader.text('tokenizer.ggml.model')
  if (kind === 'gpt2') return byteLevelFile(reader)
  if (kind === 'llama') return sentencePieceFile(reader)
  throw reader.expected('tokenizer.ggml.model', `to be gpt2 or llama, found ${kind ?? 'none'}`)
}

export const tokenizerConfigOf = (reader: MetadataReader): TokenizerConfig => {
  const tokens = reader.texts('tokenizer.ggml.tokens') ?? []
  const special = (kind: string): string | null =>
    tokens[reader.number(`tokenizer.ggml.${kind}_token_id`) ?? -1] ?? null
  const template = reader.text('tokenizer.chat_template')
  return {
    ...(template !== undefined && { chat_template: template }),
    bos_token: special('bos'),
    eos_token: special('eos'),
  }
}
