/** Turns the tokens of one sample into text as they come, and finds stop strings, also across tokens. */
import type { TokenLogProbability } from '../../core/language-model.ts'

export interface TextPiece {
  readonly text: string
  /** Tokens whose text is complete with this piece. */
  readonly tokens: readonly TokenLogProbability[]
  /** The stop string that ended the text, if one did. */
  readonly stop?: string
}

interface HeldToken {
  readonly entry: TokenLogProbability
  /** Where the token's text begins and ends, counted in UTF-16 units from the start of the sample. */
  readonly start: number
  readonly end: number
}

/** Length of the longest end of `text` that may be the beginning of `stop`. */
const overlap = (text: string, stop: string): number => {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--)
    if (text.endsWith(stop.slice(0, length))) return length
  return 0
}

export class TextStream {
  /** Keeps the bytes of an unfinished character back, so no piece ever ends inside one. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #stops: readonly string[]
  readonly #keepStop: boolean
  #pending = ''
  #released = 0
  #held: HeldToken[] = []

  constructor(stops: readonly string[], keepStop: boolean) {
    this.#stops = stops
    this.#keepStop = keepStop
  }

  /** Adds a token's bytes; text that may turn out to be the beginning of a stop string is held back. */
  push(bytes: Uint8Array, entry: TokenLogProbability | undefined): TextPiece {
    const start = this.#released + this.#pending.length
    this.#pending += this.#decoder.decode(bytes, { stream: true })
    const end = this.#released + this.#pending.length
    if (entry !== undefined) this.#held.push({ entry, start, end })
    const found = this.#findStop()
    if (found !== undefined) return this.#end(found.at, found.stop)
    const kept = Math.max(0, ...this.#stops.map((stop) => overlap(this.#pending, stop)))
    return this.#release(this.#pending.length - kept)
  }

  /** What was still held back, when the sample ends otherwise than by a stop string. */
  flush(): TextPiece {
    const { text, tokens } = this.#release(this.#pending.length)
    const rest = this.#held.map(({ entry }) => entry)
    this.#held = []
    return { text, tokens: [...tokens, ...rest] }
  }

  #findStop(): { readonly at: number; readonly stop: string } | undefined {
    let found: { at: number; stop: string } | undefined
    for (const stop of this.#stops) {
      const at = this.#pending.indexOf(stop)
      if (at >= 0 && (found === undefined || at < found.at)) found = { at, stop }
    }
    return found
  }

  #end(at: number, stop: string): TextPiece {
    const length = this.#keepStop ? at + stop.length : at
    const cut = this.#released + length
    const tokens = this.#held.filter(({ start }) => start < cut).map(({ entry }) => entry)
    const text = this.#pending.slice(0, length)
    this.#pending = ''
    this.#held = []
    return { text, tokens, stop }
  }

  #release(length: number): TextPiece {
    const text = this.#pending.slice(0, length)
    this.#pending = this.#pending.slice(length)
    this.#released += length
    // A token without text of its own (a part of a character) waits for the piece that completes it.
    const open = this.#held.findIndex(({ end }) => end > this.#released)
    const ready = length === 0 ? [] : this.#held.splice(0, open < 0 ? this.#held.length : open)
    return { text, tokens: ready.map(({ entry }) => entry) }
  }
}
