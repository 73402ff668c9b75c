/** Writes texts that an automaton accepts, byte by byte, at random: what a model without any sense would write. */
import type { Random } from '../../../src/core/random.ts'
import type {
  Automaton,
  Configuration,
  Frame,
} from '../../../src/inference/constraint/automaton.ts'

const nextBytes = (automaton: Automaton, at: Configuration): number[] =>
  Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => automaton.step(at, byte) !== undefined,
  )

const depths = new WeakMap<Frame, number>()

/** Rules that have to be left before the text can end, at least. */
const depthIn = (frame: Frame | undefined): number => {
  if (frame === undefined) return 1
  const known = depths.get(frame)
  if (known !== undefined) return known
  const depth = 1 + Math.min(...frame.returns.map(({ caller }) => depthIn(caller)))
  depths.set(frame, depth)
  return depth
}

const depthOf = ({ threads, accepts }: Configuration): number =>
  accepts ? 0 : Math.min(...threads.map(({ frame }) => depthIn(frame)))

/** Bytes to the end, looking out of rules before into them; undefined when there are none within 100 000 steps. */
const wayOut = (automaton: Automaton, from: Configuration): number[] | undefined => {
  const before = new Map<Configuration, { at: Configuration; byte: number } | undefined>()
  const queues: Configuration[][] = []
  const add = (at: Configuration, step?: { at: Configuration; byte: number }): void => {
    if (before.has(at)) return
    before.set(at, step)
    ;(queues[depthOf(at)] ??= []).push(at)
  }
  add(from)
  while (before.size < 100_000) {
    const at = queues.find((queue) => (queue?.length ?? 0) > 0)?.shift()
    if (at === undefined) return undefined
    if (at.accepts) {
      const way: number[] = []
      for (let step = before.get(at); step !== undefined; step = before.get(step.at))
        way.unshift(step.byte)
      return way
    }
    for (const byte of nextBytes(automaton, at)) add(automaton.step(at, byte)!, { at, byte })
  }
  return undefined
}

/** A random text of about `length` bytes, ended by a short way. */
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
  for (const byte of wayOut(automaton, at) ?? []) go(byte)
  if (!at.accepts) throw new Error(`no way out of ${Buffer.from(bytes).toString()}`)
  return Buffer.from(bytes).toString()
}

export const accepts = (automaton: Automaton, text: string): boolean =>
  automaton.read(automaton.start, Buffer.from(text))?.accepts ?? false
