/**
 * Runs a network over bytes. What has been read is summed up in a configuration: all states the text may be in, each
 * with the rules it has yet to come back to. Configurations are made as they are met and kept, so that a second text
 * costs one look-up per byte. Nothing bounds how deep rules nest but the length of the text.
 */
import type { Network, Rule } from './network.ts'

/** A rule that is being read: where its caller goes on, and in which rule the caller stands. */
interface Frame {
  readonly id: number
  readonly to: number
  readonly caller: Frame | undefined
  readonly callees: Map<number, Frame>
}

interface Thread {
  readonly state: number
  readonly frame: Frame | undefined
}

export interface Configuration {
  readonly threads: readonly Thread[]
  /** Whether the text may end here. */
  readonly accepts: boolean
  /** By byte: undefined: not asked for yet; null: no text goes on so. */
  readonly next: (Configuration | null | undefined)[]
}

/** Kept at most; then all are forgotten, but for those that running samples hold. */
const MAX_CONFIGURATIONS = 4096

export class Automaton {
  readonly #network: Network
  readonly #root: Rule
  #known = new Map<string, Configuration>()
  #callees = new Map<number, Frame>()
  #start: Configuration | undefined
  #frames = 0
  /** Ends of the rules that were entered. */
  readonly #ends = new Set<number>()

  /** The network must be sealed with this root. */
  constructor(network: Network, root: Rule) {
    this.#network = network
    this.#root = root
  }

  /** Before the first byte. */
  get start(): Configuration {
    this.#start ??= this.#configuration([{ state: this.#root.start, frame: undefined }])
    return this.#start
  }

  /** Number of configurations held for reuse. */
  get size(): number {
    return this.#known.size
  }

  /** Undefined when no text that matches goes on with this byte. */
  step(from: Configuration, byte: number): Configuration | undefined {
    const known = from.next[byte]
    if (known !== undefined) return known ?? undefined
    const reached: Thread[] = []
    // Bytes around this one that no edge tells apart from it lead to the same place.
    let [first, last] = [0, 255]
    for (const { state, frame } of from.threads)
      for (const { low, high, to } of this.#network.states[state]!.bytes) {
        if (byte < low) last = Math.min(last, low - 1)
        else if (byte > high) first = Math.max(first, high + 1)
        else {
          ;[first, last] = [Math.max(first, low), Math.min(last, high)]
          reached.push({ state: to, frame })
        }
      }
    const next = reached.length === 0 ? null : this.#configuration(reached)
    from.next.fill(next, first, last + 1)
    return next ?? undefined
  }

  /** The byte that every text goes on with; undefined where the text may end, or go on in several ways. */
  onlyByte(from: Configuration): number | undefined {
    if (from.accepts) return undefined
    let only: number | undefined
    for (let byte = 0; byte < 256; byte++) {
      if (this.step(from, byte) === undefined) continue
      if (only !== undefined) return undefined
      only = byte
    }
    return only
  }

  /** Undefined when the bytes lead out of the language. */
  read(from: Configuration, bytes: Uint8Array): Configuration | undefined {
    let at: Configuration | undefined = from
    for (const byte of bytes) {
      at = this.step(at, byte)
      if (at === undefined) return undefined
    }
    return at
  }

  #configuration(reached: readonly Thread[]): Configuration {
    const { reading, accepts } = this.#close(reached)
    const key = [...reading.keys()].toSorted().join(' ') + (accepts ? ' end' : '')
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.#known.size === MAX_CONFIGURATIONS) this.#forget()
    const made = {
      threads: [...reading.values()],
      accepts,
      next: Array.from<undefined>({ length: 256 }),
    }
    this.#known.set(key, made)
    return made
  }

  #forget(): void {
    this.#known = new Map()
    this.#callees = new Map()
    this.#start = undefined
  }

  /** Follows what reads no byte, into rules and out of them; of the threads reached, those that read one count. */
  #close(reached: readonly Thread[]): { reading: Map<string, Thread>; accepts: boolean } {
    const seen = new Set<string>()
    const reading = new Map<string, Thread>()
    const queue = [...reached]
    let accepts = false
    for (let thread = queue.pop(); thread !== undefined; thread = queue.pop()) {
      const { state, frame } = thread
      const key = `${state}:${frame?.id ?? ''}`
      if (seen.has(key)) continue
      seen.add(key)
      const { bytes, empty, calls } = this.#network.states[state]!
      if (bytes.length > 0) reading.set(key, thread)
      for (const to of empty) queue.push({ state: to, frame })
      for (const { rule, to } of calls)
        queue.push({ state: rule.start, frame: this.#enter(rule, to, frame) })
      if (frame === undefined) accepts ||= state === this.#root.end
      else if (this.#ends.has(state)) queue.push({ state: frame.to, frame: frame.caller })
    }
    return { reading, accepts }
  }

  #enter({ end }: Rule, to: number, caller: Frame | undefined): Frame {
    this.#ends.add(end)
    const callees = caller?.callees ?? this.#callees
    const known = callees.get(to)
    if (known !== undefined) return known
    const frame = { id: this.#frames++, to, caller, callees: new Map() }
    callees.set(to, frame)
    return frame
  }
}
