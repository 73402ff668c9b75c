/**
 * The language of a constraint as a recursive transition network over bytes: states, edges that read a byte, edges that
 * read nothing, and edges that call a rule and go on behind it. Rules may call each other and themselves, so that nested
 * JSON needs no bound on its depth; the network is a pushdown automaton (`automaton.ts` runs it).
 */
import { invalidField } from '../../core/errors.ts'

/** A whole language of its own, entered at `start` and left at `end`. Every text it takes has at least one byte. */
export interface Rule {
  readonly start: number
  readonly end: number
  /** Where in the request it comes from: a JSON pointer. */
  readonly pointer: string
}

interface ByteEdge {
  readonly low: number
  readonly high: number
  readonly to: number
}

interface CallEdge {
  readonly rule: Rule
  readonly to: number
}

/** Edges out of one state. */
export interface State {
  readonly bytes: ByteEdge[]
  readonly empty: number[]
  readonly calls: CallEdge[]
}

/** Adds what a text may be behind the state `from` and returns the state behind it. */
export type Part = (network: Network, from: number) => number

/** Bounds the memory and the time of a constraint; a schema of a few hundred fields needs some thousands. */
const MAX_STATES = 100_000

export class Network {
  readonly states: State[] = []
  #pointer = ''
  #order: ReadonlyMap<Rule, number> = new Map()

  /** When the network is sealed: of two rules, the one that calls the other before it reads anything has more. */
  height(rule: Rule): number {
    return this.#order.get(rule)!
  }

  state(): number {
    if (this.states.length === MAX_STATES)
      throw invalidField(
        this.#pointer,
        `makes the constraint too large (${MAX_STATES} states at most): allow fewer repetitions, shorter texts or fewer values`,
      )
    return this.states.push({ bytes: [], empty: [], calls: [] }) - 1
  }

  byte(from: number, low: number, high: number): number {
    const to = this.state()
    this.states[from]!.bytes.push({ low, high, to })
    return to
  }

  empty(from: number, to: number): void {
    this.states[from]!.empty.push(to)
  }

  call(from: number, rule: Rule): number {
    const to = this.state()
    this.states[from]!.calls.push({ rule, to })
    return to
  }

  /** Opens a rule; `fill` gives it its language, when all rules that it may call are open. */
  rule(pointer: string): Rule {
    this.#pointer = pointer
    return { start: this.state(), end: this.state(), pointer }
  }

  /** Opens a rule for a part of the one that is being filled. */
  inner(): Rule {
    return this.rule(this.#pointer)
  }

  fill(rule: Rule, part: Part): void {
    this.#pointer = rule.pointer
    this.empty(part(this, rule.start), rule.end)
  }

  /**
   * Takes out edges that lead nowhere, so that whatever has been read can be completed.
   * @throws RefineError invalid_request when no text matches, or a rule calls itself before it reads anything.
   */
  seal(root: Rule): void {
    const rules = calledFirstOrder(this.states, root)
    this.#order = new Map(rules.map((rule, index) => [rule, index]))
    const live = liveStates(this.states, root)
    if (!live.has(root.start)) throw invalidField(root.pointer, 'is met by no text at all')
    for (const { bytes, empty, calls } of this.states) {
      keep(bytes, ({ to }) => live.has(to))
      keep(empty, (to) => live.has(to))
      keep(calls, ({ rule, to }) => live.has(rule.start) && live.has(to))
    }
  }
}

const keep = <Item>(items: Item[], wanted: (item: Item) => boolean): void => {
  items.splice(0, items.length, ...items.filter(wanted))
}

/** States from which the end of their rule can be reached. Edges mostly lead on to later states, hence backwards. */
const liveStates = (states: readonly State[], root: Rule): ReadonlySet<number> => {
  const live = new Set([root.end])
  for (const { calls } of states) for (const { rule } of calls) live.add(rule.end)
  for (let before = -1; before !== live.size;) {
    before = live.size
    for (let state = states.length - 1; state >= 0; state--) {
      const { bytes, empty, calls } = states[state]!
      if (
        bytes.some(({ to }) => live.has(to)) ||
        empty.some((to) => live.has(to)) ||
        calls.some(({ rule, to }) => live.has(rule.start) && live.has(to))
      )
        live.add(state)
    }
  }
  return live
}

/**
 * All rules, each behind those that it calls before it reads anything. One that comes back to itself without a byte in
 * between describes nothing that a text could be checked by.
 */
const calledFirstOrder = (states: readonly State[], root: Rule): readonly Rule[] => {
  const done = new Set<Rule>()
  const open = new Set<Rule>()
  const visit = (rule: Rule): void => {
    if (open.has(rule)) throw invalidField(rule.pointer, 'refers to itself and to nothing else')
    if (done.has(rule)) return
    open.add(rule)
    for (const called of calledFirst(states, rule)) visit(called)
    open.delete(rule)
    done.add(rule)
  }
  visit(root)
  for (const { calls } of states) for (const { rule } of calls) visit(rule)
  return [...done]
}

const calledFirst = (states: readonly State[], { start }: Rule): readonly Rule[] => {
  const reached = new Set([start])
  for (const state of reached) for (const to of states[state]!.empty) reached.add(to)
  return [...reached].flatMap((state) => states[state]!.calls.map(({ rule }) => rule))
}
