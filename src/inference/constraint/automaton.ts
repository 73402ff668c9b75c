/**
 * Runs a network over bytes. What has been read is summed up in a configuration: all states the text may be in, each
 * with the rules it has yet to come back to. Configurations are made as they are met and kept, so that a second text
 * costs one look-up per byte. Nothing bounds how deep rules nest but the length of the text.
 */
import type { Network, Rule } from './network.ts'

/** Where a caller of a rule goes on behind it, and the frame it stands in; undefined: in the root. */
interface Return {
  readonly to: number
  readonly caller: Frame | undefined
}

/**
 * A rule that is being read, for all who called it at the same byte: else threads would double with each level of rules
 * that several branches call, such as the left side of an expression, written before its operator.
 */
export interface Frame {
  readonly id: number
  readonly end: number
  readonly returns: readonly Return[]
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
  #frames = new Map<string, Frame>()
  #start: Configuration | undefined
  #nextFrame = 0

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
    this.#frames = new Map()
    this.#start = undefined
  }

  /** Follows what reads no byte, into rules and out of them; of the threads reached, those that read one count. */
  #close(reached: readonly Thread[]): { reading: Map<string, Thread>; accepts: boolean } {
    const closure = new Closure(this.#network, this.#root)
    for (const thread of reached) closure.follow(thread)
    for (let rule = closure.nextRule(); rule !== undefined; rule = closure.nextRule()) {
      const frame = this.#frame(rule, closure.enter(rule))
      closure.follow({ state: rule.start, frame })
    }
    return closure
  }

  #frame({ start, end }: Rule, returns: readonly Return[]): Frame {
    const places = returns.map(({ to, caller }) => `${to}:${caller?.id ?? ''}`)
    const key = `${start} ${places.toSorted().join(' ')}`
    let frame = this.#frames.get(key)
    if (frame === undefined) {
      frame = { id: this.#nextFrame++, end, returns }
      this.#frames.set(key, frame)
    }
    return frame
  }
}

/** What is reached at one place of a text without reading on. */
class Closure {
  readonly reading = new Map<string, Thread>()
  accepts = false
  readonly #network: Network
  readonly #root: Rule
  readonly #seen = new Set<string>()
  /** Rules called here and not entered yet, with all who called them. */
  readonly #called = new Map<Rule, Return[]>()

  constructor(network: Network, root: Rule) {
    this.#network = network
    this.#root = root
  }

  follow(from: Thread): void {
    const queue = [from]
    for (let thread = queue.pop(); thread !== undefined; thread = queue.pop()) {
      const { state, frame } = thread
      const key = `${state}:${frame?.id ?? ''}`
      if (this.#seen.has(key)) continue
      this.#seen.add(key)
      const { bytes, empty, calls } = this.#network.states[state]!
      if (bytes.length > 0) this.reading.set(key, thread)
      for (const to of empty) queue.push({ state: to, frame })
      for (const { rule, to } of calls) this.#call(rule, { to, caller: frame })
      if (frame === undefined) this.accepts ||= state === this.#root.end
      else if (frame.end === state)
        for (const { to, caller } of frame.returns) queue.push({ state: to, frame: caller })
    }
  }

  #call(rule: Rule, from: Return): void {
    const callers = this.#called.get(rule)
    if (callers === undefined) this.#called.set(rule, [from])
    else callers.push(from)
  }

  /** The one that no other rule still to be entered calls here, so that all its callers are known. */
  nextRule(): Rule | undefined {
    let next: Rule | undefined
    for (const rule of this.#called.keys())
      if (next === undefined || this.#network.height(rule) > this.#network.height(next)) next = rule
    return next
  }

  enter(rule: Rule): readonly Return[] {
    const callers = this.#called.get(rule)!
    this.#called.delete(rule)
    return callers
  }
}
