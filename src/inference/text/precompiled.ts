/**
 * The normaliser that SentencePiece compiles into its models (`nmt_nfkc` and others): a table of texts that are replaced.
 * As the crate `spm_precompiled` reads it, which differs from SentencePiece for characters with several marks.
 */
import { PIECE, type InPieces } from './word-model.ts'

/** Graphemes of so many bytes are looked up character by character. */
const LONG = 6

const [CARRIAGE_RETURN, LINE_FEED] = [13, 10]

const utf8 = new TextEncoder()

export class Precompiled {
  /** A double array (Aoe 1989, "An efficient digital search algorithm by using a double-array structure"). */
  readonly #units: Uint32Array
  /** What is put in, each ended by a zero. */
  readonly #texts: Buffer
  readonly #graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })
  readonly #known = new Map<string, string>()

  /** @param charsmap in base 64: the size of the array in bytes, the array, the texts. @throws Error when it is damaged. */
  constructor(charsmap: string) {
    const bytes = Buffer.from(charsmap, 'base64')
    const size = bytes.length < 4 ? 0 : bytes.readUInt32LE(0)
    if (size === 0 || size % 4 !== 0 || 4 + size > bytes.length)
      throw new Error('its precompiled_charsmap is damaged')
    this.#units = Uint32Array.from({ length: size / 4 }, (_, at) => bytes.readUInt32LE(4 + 4 * at))
    this.#texts = bytes.subarray(4 + size)
  }

  *normalise(text: string): InPieces<string> {
    const parts: string[] = []
    let steps = 0
    for (const grapheme of this.#split(text)) {
      if (++steps % PIECE === 0) yield
      let part = this.#known.get(grapheme)
      if (part === undefined) {
        part = this.#replace(grapheme)
        // Texts have few graphemes that are not those of before; one may be as long as its text.
        if (grapheme.length <= LONG) this.#known.set(grapheme, part)
      }
      parts.push(part)
    }
    return parts.join('')
  }

  /** The segmenter alone would take time that grows with the square of a text in Latin letters. */
  *#split(text: string): Generator<string, void, void> {
    for (let start = 0; start < text.length;) {
      let end = start + 1
      while (end < text.length && !isBoundary(text.charCodeAt(end - 1), text.charCodeAt(end))) end++
      if (end === start + 1) yield text[start]!
      else for (const { segment } of this.#graphemes.segment(text.slice(start, end))) yield segment
      start = end
    }
  }

  #replace(grapheme: string): string {
    const bytes = utf8.encode(grapheme)
    const whole = bytes.length < LONG ? this.#find(bytes) : undefined
    if (whole !== undefined) return whole
    return Array.from(
      grapheme,
      (character) => this.#find(utf8.encode(character)) ?? character,
    ).join('')
  }

  /** What the shortest beginning of the bytes that is in the table is replaced by. */
  #find(bytes: Uint8Array): string | undefined {
    const units = this.#units
    let at = offsetOf(units[0]!)
    for (const byte of bytes) {
      at ^= byte
      const unit = units[at]
      if (byte === 0 || unit === undefined || (unit & 0x8000_00ff) !== byte) return undefined
      at ^= offsetOf(unit)
      if ((unit >>> 8) & 1) return this.#textAt(units[at]! & 0x7fff_ffff)
    }
    return undefined
  }

  #textAt(start: number): string {
    const end = this.#texts.indexOf(0, start)
    return this.#texts.toString('utf8', start, end < 0 ? undefined : end)
  }
}

/** Latin, Greek, Cyrillic, kana or Han: nothing that combines with what stands beside it. */
const standsAlone = (unit: number): boolean =>
  unit < 0x250 ||
  (unit >= 0x370 && unit < 0x483) ||
  (unit >= 0x3041 && unit < 0x3097) ||
  (unit >= 0x30a1 && unit < 0x30fb) ||
  (unit >= 0x4e00 && unit < 0xa000)

/** Whether a grapheme surely ends between the two. */
const isBoundary = (before: number, after: number): boolean =>
  standsAlone(before) && standsAlone(after) && !(before === CARRIAGE_RETURN && after === LINE_FEED)

const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6)
