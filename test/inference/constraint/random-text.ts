/** Writes texts that an automaton accepts, byte by byte, at random: what a model without any sense would write. */
import type { Random } from '../../../src/core/random.ts'
import type { Automaton, Configuration } from '../../../src/inference/constraint/automaton.ts'

const nextBytes = (automaton: Automaton, at: Configuration): number[] =>
  Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => automaton.step(at, byte) !== undefined,
  )

/** Fewest bytes to the end, searched in width; undefined when there is none within `limit` configurations. */
const wayOut = (automaton: Automaton, from: Configuration, limit: number): number[] | undefined => {
  const before = new Map<Configuration, { at: Configuration; byte: number } | undefined>()
  before.set(from, undefined)
  for (const at of before.keys()) {
    if (at.accepts) {
      const way: number[] = []
      for (let step = before.get(at); step !== undefined; step = before.get(step.at))
        way.unshift(step.byte)
      return way
    }
    if (before.size > limit) return undefined
    for (const byte of nextBytes(automaton, at)) {
      const next = automaton.step(at, byte)!
      if (!before.has(next)) before.set(next, { at, byte })
    }
  }
  return undefined
}

/** A random text of about `length` bytes, ended by the shortest way. */
export const randomText = (automaton: Automaton, random: Random, length: number): string => {
  let at = automaton.start
  const bytes: number[] = []
  const go = (byte: number): void => {
    bytes.push(byte)
    at = automaton.step(at, byte)!
  }
  while (bytes.length < length) {
    const possible = nextBytes(automaton, at)
    if (possible.length === 0 || (at.accepts && random.next() < 0.1)) break
    // Ends of strings, lists and objects are as likely as all else together: else nothing but one string is written.
    const ends = possible.filter((byte) => '"]},'.includes(String.fromCharCode(byte)))
    const from = ends.length > 0 && random.next() < 0.4 ? ends : possible
    go(from[random.integer(from.length)]!)
  }
  for (const byte of wayOut(automaton, at, 20_000) ?? []) go(byte)
  if (!at.accepts) throw new Error(`no way out of ${Buffer.from(bytes).toString()}`)
  return Buffer.from(bytes).toString()
}

export const accepts = (automaton: Automaton, text: string): boolean =>
  automaton.read(automaton.start, Buffer.from(text))?.accepts ?? false
