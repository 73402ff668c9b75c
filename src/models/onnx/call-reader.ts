/** Tells tool calls from text in the answer of one sample, as it comes. */
import { randomUUID } from 'node:crypto'
import type { TokenLogProbability } from '../../core/language-model.ts'
import { parseJson, type ToolCall } from '../../core/tools.ts'
import { isRecord } from '../../core/validation.ts'
import type { CallFormat } from './call-format.ts'

export type Piece =
  | {
      readonly type: 'text'
      readonly text: string
      readonly tokens: readonly TokenLogProbability[]
    }
  | { readonly type: 'call'; readonly call: ToolCall }
  /** What looked like calls and is none; it stays in the text. */
  | { readonly type: 'malformed' }

const NAME = /^[a-zA-Z0-9_.:-]{1,128}$/

/** The arguments as they were written, where they can be told from the rest of the call: no number loses digits. */
const argumentsText = (written: string, key: string, value: object): string => {
  const head = new RegExp(`^\\s*\\{\\s*"name"\\s*:\\s*"[^"\\\\]*"\\s*,\\s*"${key}"\\s*:\\s*`)
  const rest = written.replace(head, '').trimEnd()
  const text = rest.endsWith('}') ? rest.slice(0, -1).trimEnd() : rest
  return parseJson(text) === undefined ? JSON.stringify(value) : text
}

const readCall = (value: unknown, written: string): ToolCall | undefined => {
  if (!isRecord(value)) return undefined
  const { name } = value
  // Models of one family have been seen to use the key of another.
  const key = value['arguments'] === undefined ? 'parameters' : 'arguments'
  const found = value[key] ?? {}
  const given = typeof found === 'string' ? parseJson(found)?.value : found
  if (typeof name !== 'string' || !NAME.test(name) || !isRecord(given)) return undefined
  const text = typeof found === 'string' ? found : argumentsText(written, key, given)
  const id = `call_${randomUUID().replaceAll('-', '')}`
  return { id, type: 'function', function: { name, arguments: text } }
}

/** The calls in what stands between the markers; undefined where any of it is none. */
const readCalls = (body: string): ToolCall[] | undefined => {
  const parsed = parseJson(body)
  if (parsed === undefined) return undefined
  const values = Array.isArray(parsed.value) ? (parsed.value as unknown[]) : [parsed.value]
  const written = values.length === 1 ? body.replace(/^\s*\[|\]\s*$/g, '') : ''
  const calls = values.map((value) => readCall(value, written))
  return calls.length > 0 && calls.every((call) => call !== undefined) ? calls : undefined
}

/** How much of the end of `text` may turn out to be white space before `marker`, or a part of it. */
const undecided = (text: string, marker: string): number => {
  let partial = Math.min(marker.length - 1, text.length)
  while (partial > 0 && !text.endsWith(marker.slice(0, partial))) partial--
  return text.length - text.slice(0, text.length - partial).trimEnd().length
}

interface Delta {
  readonly text: string
  readonly tokens: readonly TokenLogProbability[]
}

export class CallReader {
  readonly #format: CallFormat
  /** `{"name":"…"` of each tool, without white space: what an answer that is a call begins with. */
  readonly #starts: readonly string[]
  /** What is neither text nor call yet, with the log-probabilities that came with it. */
  #held: Delta[] = []
  #state: 'start' | 'text' | 'call' = 'start'

  constructor(format: CallFormat, names: readonly string[]) {
    this.#format = format
    this.#starts = [
      ...names.map((name) => `{"name":${JSON.stringify(name)}`),
      ...(format.prelude === '' ? [] : [format.prelude]),
    ]
  }

  push(delta: Delta): Piece[] {
    this.#held.push(delta)
    if (this.#format.marker === undefined) return this.#pushWhole()
    const pieces: Piece[] = []
    for (let more = true; more;)
      more = this.#state === 'call' ? this.#endCall(pieces) : this.#beginCall(pieces)
    return pieces
  }

  /** What is left when the sample ends. */
  end(): Piece[] {
    const isCall = this.#state === 'call' || (this.#state === 'start' && this.#isWhole)
    if (!isCall) return this.#release(Infinity)
    const pending = this.#pending
    return this.#close(pending.length, pending.slice(this.#bodyAt(pending)))
  }

  get #isWhole(): boolean {
    return this.#format.marker === undefined && this.#pending.trim() !== ''
  }

  get #pending(): string {
    return this.#held.map(({ text }) => text).join('')
  }

  /** An answer that is a call or a text as a whole: it is text as soon as it begins like no call. */
  #pushWhole(): Piece[] {
    if (this.#state === 'text') return this.#release(Infinity)
    const solid = this.#pending.replaceAll(/\s/g, '')
    if (this.#starts.some((start) => start.startsWith(solid) || solid.startsWith(start))) return []
    this.#state = 'text'
    return this.#release(Infinity)
  }

  /** Lets go what is certainly text; true when a call begins behind it. */
  #beginCall(pieces: Piece[]): boolean {
    const { marker = '' } = this.#format
    const pending = this.#pending
    const at = pending.indexOf(marker)
    if (at < 0) {
      pieces.push(...this.#release(pending.length - undecided(pending, marker)))
      return false
    }
    pieces.push(...this.#release(pending.slice(0, at).trimEnd().length))
    this.#state = 'call'
    return true
  }

  /** True when the call has ended. */
  #endCall(pieces: Piece[]): boolean {
    const { endMarker } = this.#format
    const pending = this.#pending
    const start = this.#bodyAt(pending)
    const end = endMarker === undefined ? -1 : pending.indexOf(endMarker, start)
    if (end < 0) return false
    pieces.push(...this.#close(end + endMarker!.length, pending.slice(start, end)))
    this.#state = 'text'
    return true
  }

  /** Where it begins behind the marker, before which there may be white space. */
  #bodyAt(pending: string): number {
    const { marker } = this.#format
    return marker === undefined ? 0 : pending.indexOf(marker) + marker.length
  }

  /** Turns the first `length` units into calls, or into text where they are none. */
  #close(length: number, body: string): Piece[] {
    const { prelude } = this.#format
    const trimmed = body.trim()
    const calls = readCalls(trimmed.startsWith(prelude) ? trimmed.slice(prelude.length) : trimmed)
    if (calls !== undefined) {
      this.#take(length)
      return calls.map((call) => ({ type: 'call', call }))
    }
    return [...this.#release(length), { type: 'malformed' }]
  }

  #release(length: number): Piece[] {
    const taken = this.#take(length)
    const text = taken.map((delta) => delta.text).join('')
    const tokens = taken.flatMap((delta) => delta.tokens)
    return text === '' && tokens.length === 0 ? [] : [{ type: 'text', text, tokens }]
  }

  /** The first `length` units of what is held; log-probabilities go with the first unit of their text. */
  #take(length: number): Delta[] {
    const taken: Delta[] = []
    let left = length
    while (left > 0 && this.#held.length > 0) {
      const { text, tokens } = this.#held.shift()!
      taken.push({ text: text.slice(0, left), tokens })
      if (text.length > left) this.#held.unshift({ text: text.slice(left), tokens: [] })
      left -= text.length
    }
    return taken
  }
}
