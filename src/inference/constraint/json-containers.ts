/** Arrays and objects around parts that are given. */
import { COMMA } from './json-text.ts'
import type { Part } from './network.ts'
import { literal, sequence } from './parts.ts'

export interface ArrayItems {
  /** Of the first items, one each. */
  readonly first: readonly Part[]
  /** Of all that follow; undefined: none may. */
  readonly others: Part | undefined
  readonly least: number
  readonly most: number | undefined
}

const listPart = ({ first, others, least, most }: ArrayItems): Part => {
  const named = others === undefined ? first.length : Infinity
  const bound = Math.min(most ?? Infinity, named)
  // Items laid out one by one; any more come from a loop, which needs one before it.
  const laidOut = bound === Infinity ? Math.max(least, first.length, 1) : bound
  return (network, from) => {
    const end = network.state()
    let at = from
    for (let index = 0; index < Math.max(laidOut, least); index++) {
      if (index >= least) network.empty(at, end)
      const start = index === 0 ? at : COMMA(network, at)
      // More items than there may be: a state that leads nowhere.
      at = index < bound ? (first[index] ?? others!)(network, start) : network.state()
    }
    if (bound === Infinity) at = loop(others!)(network, at)
    network.empty(at, end)
    return end
  }
}

export const arrayPart = (items: ArrayItems): Part =>
  sequence(literal('['), listPart(items), literal(']'))

/** Any number of further ones behind the first. */
const loop =
  (part: Part): Part =>
  (network, from) => {
    const written = network.state()
    network.empty(from, written)
    network.empty(part(network, COMMA(network, written)), written)
    return written
  }

export interface Member {
  /** Name, colon and value. */
  readonly part: Part
  readonly required: boolean
}

/** The members in their order, then any number of others. */
export const objectPart = (members: readonly Member[], others: Part | undefined): Part => {
  const content: Part = (network, from) => {
    const end = network.state()
    /** Where no member has been written yet, and where at least one has. */
    let [none, some]: (number | undefined)[] = [from, undefined]
    const join = (part: Part): number => {
      const start = network.state()
      if (none !== undefined) network.empty(none, start)
      if (some !== undefined) network.empty(COMMA(network, some), start)
      const written = network.state()
      network.empty(part(network, start), written)
      return written
    }
    for (const { part, required } of members) {
      const written = join(part)
      if (!required && some !== undefined) network.empty(some, written)
      if (required) none = undefined
      some = written
    }
    if (others !== undefined) {
      const written = loop(others)(network, join(others))
      network.empty(written, end)
    }
    for (const state of [none, some]) if (state !== undefined) network.empty(state, end)
    return end
  }
  return sequence(literal('{'), content, literal('}'))
}

/** At most `most` members, which may have equal names. */
export const mapPart = (member: Part, most: number | undefined): Part =>
  sequence(literal('{'), listPart({ first: [], others: member, least: 0, most }), literal('}'))
