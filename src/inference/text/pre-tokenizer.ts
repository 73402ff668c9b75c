/**
 * Pre-tokenizers of `tokenizer.json` in the forms that the tokenizer library splits by as the original (the Rust crate
 * `tokenizers`) does. Of `Split` it knows the behaviour `Isolated`, and `Removed` of what does not match; its own
 * expressions know other digits and other white space than the original's.
 */

/** As the file has it; a field of another type fails when the library is given it. */
interface PreTokenizer {
  readonly type: string
  readonly pretokenizers?: readonly PreTokenizer[]
  readonly pattern?: { readonly Regex?: string; readonly String?: string }
  readonly behavior?: string
  readonly invert?: boolean
  readonly use_regex?: boolean
  readonly add_prefix_space?: boolean
  readonly individual_digits?: boolean
  readonly replacement?: string
  readonly prepend_scheme?: string
  readonly split?: boolean
}

/** The crate's own, of `ByteLevel`. */
const GPT2_WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
const PUNCTUATION = String.raw`[\p{P}!-/:-@\[-${'`'}{-~]`
const ANY = String.raw`[\s\S]`

const quote = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)

const split = (expression: string, behavior = 'Isolated', invert = false): PreTokenizer => ({
  type: 'Split',
  pattern: { Regex: expression },
  behavior,
  invert,
})

/** `invert`: what does not match is what is split by; where all pieces stay apart it makes no difference. */
const splitAs = (expression: string, behavior: string, invert: boolean): PreTokenizer => {
  const match = `(?:${expression})`
  if (behavior === 'Isolated') return split(expression)
  if (behavior === 'Removed') return split(expression, behavior, invert)
  if (behavior === 'Contiguous') return split(`${match}+`)
  if (behavior === 'MergedWithPrevious' && !invert) return split(`${ANY}*?${match}`)
  if (behavior === 'MergedWithNext' && !invert) return split(`${match}(?:(?!${match})${ANY})*`)
  throw new Error(`its pre-tokenizer splits with ${behavior}${invert ? ' inverted' : ''}`)
}

const steps = (given: PreTokenizer): readonly PreTokenizer[] => {
  const { pattern, behavior = 'Isolated', invert = false, replacement = '\u2581' } = given
  const { add_prefix_space: addsSpace = true } = given
  switch (given.type) {
    case 'Sequence':
      return (given.pretokenizers ?? []).flatMap(steps)
    case 'Split':
      return [splitAs(pattern?.Regex ?? quote(pattern?.String ?? ''), behavior, invert)]
    case 'Punctuation':
      return [splitAs(PUNCTUATION, behavior, false)]
    case 'Digits':
      return [split(given.individual_digits === true ? String.raw`\p{N}` : String.raw`\p{N}+`)]
    case 'WhitespaceSplit':
      return [split(String.raw`\s+`, 'Removed')]
    case 'Metaspace':
      // Every space begins a piece of its own.
      return [
        { ...given, prepend_scheme: given.prepend_scheme ?? (addsSpace ? 'always' : 'never') },
        ...(given.split === false ? [] : [split(`${quote(replacement)}[^${quote(replacement)}]*`)]),
      ]
    case 'ByteLevel':
      // The space in front comes before the split; what belongs to no model of ours is left to the library.
      if (given.use_regex === false || given.add_prefix_space === true) return [given]
      return [split(GPT2_WORDS), { ...given, use_regex: false }]
    default:
      return [given]
  }
}

export interface PreTokenization {
  /** For the library; null: the text is one word. */
  readonly steps: object | null
  /** Whether words are written in stand-ins for their bytes in the end. */
  readonly isByteLevel: boolean
}

/** @throws Error for a splitting that the library cannot be brought to. */
export const libraryPreTokenizer = (given: unknown): PreTokenization => {
  if (typeof given !== 'object' || given === null) return { steps: null, isByteLevel: false }
  const all = steps(given as PreTokenizer)
  const last = all.at(-1)
  const isByteLevel =
    last?.type === 'ByteLevel' && last.use_regex === false && last.add_prefix_space !== true
  const pretokenizers = isByteLevel ? all.slice(0, -1) : all
  return {
    steps: pretokenizers.length === 0 ? null : { type: 'Sequence', pretokenizers },
    isByteLevel,
  }
}
