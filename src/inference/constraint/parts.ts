/** The building blocks of a network: sequences, choices, repetitions, characters. */
import type { Network, Part, Rule } from './network.ts'
import { byteSequences, type CharacterSet } from './character-set.ts'

const utf8 = new TextEncoder()

export const nothing: Part = (_, from) => from

/** No text at all: what follows it is never reached. */
export const never: Part = (network) => network.state()

export const sequence =
  (...parts: readonly Part[]): Part =>
  (network, from) =>
    parts.reduce((at, part) => part(network, at), from)

export const choice =
  (...parts: readonly Part[]): Part =>
  (network, from) => {
    const end = network.state()
    for (const part of parts) {
      // A state of its own per branch: a loop at the front of one must not run through the others.
      const start = network.state()
      network.empty(from, start)
      network.empty(part(network, start), end)
    }
    return end
  }

export const optional = (part: Part): Part => choice(part, nothing)

/** `most` undefined: without end. Nothing matches where it is less than `least`. */
export const repeat =
  (part: Part, least: number, most: number | undefined): Part =>
  (network, from) => {
    if (most !== undefined && most < least) return never(network, from)
    let at = from
    for (let count = 0; count < least; count++) at = part(network, at)
    if (most === undefined) {
      const loop = network.state()
      network.empty(at, loop)
      network.empty(part(network, loop), loop)
      return loop
    }
    const end = network.state()
    for (let count = least; count < most; count++) {
      network.empty(at, end)
      at = part(network, at)
    }
    network.empty(at, end)
    return end
  }

const bytes =
  (text: Uint8Array): Part =>
  (network, from) =>
    text.reduce((at, byte) => network.byte(at, byte, byte), from)

export const literal = (text: string): Part => bytes(utf8.encode(text))

/** One character of the set, in UTF-8. */
export const character = (set: CharacterSet): Part =>
  choice(
    ...byteSequences(set).map(
      (ranges): Part =>
        (network, from) =>
          ranges.reduce((at, [low, high]) => network.byte(at, low, high), from),
    ),
  )

export const call =
  (rule: Rule): Part =>
  (network: Network, from) =>
    network.call(from, rule)

/** One digit in the range, both ends included. */
export const digit = (low = 0, high = 9): Part =>
  low > high ? never : (network, from) => network.byte(from, 48 + low, 48 + high)
