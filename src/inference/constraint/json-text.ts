/**
 * JSON as it is written under a constraint: compact, with at most one space behind a comma or a colon. Numbers have at
 * most 15 digits before and behind the point, so that none of them loses what makes it valid when it is read.
 */
import { complement, intersection, type CharacterSet } from './character-set.ts'
import type { Part } from './network.ts'
import { character, choice, digit, literal, nothing, optional, repeat, sequence } from './parts.ts'

export const COMMA = sequence(literal(','), optional(literal(' ')))
export const COLON = sequence(literal(':'), optional(literal(' ')))

/** Characters that stand for themselves in a string. */
export const PLAIN: CharacterSet = complement([
  [0x00, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
])

const SHORT: Readonly<Record<number, string>> = {
  0x08: '\\b',
  0x09: '\\t',
  0x0a: '\\n',
  0x0c: '\\f',
  0x0d: '\\r',
  0x22: '\\"',
  0x5c: '\\\\',
}

const hexadecimal = character([
  [0x30, 0x39],
  [0x41, 0x46],
  [0x61, 0x66],
])
const hexadecimals = (count: number): Part => repeat(hexadecimal, count, count)
const oneOf = (characters: string): Part =>
  character(Array.from(characters, (text) => [text.codePointAt(0)!, text.codePointAt(0)!] as const))

/** Four hexadecimal digits of a character of its own, or a pair of surrogates. */
const unicodeEscape = sequence(
  literal('\\u'),
  choice(
    sequence(oneOf('0123456789ABCEFabcef'), hexadecimals(3)),
    sequence(oneOf('Dd'), oneOf('01234567'), hexadecimals(2)),
    sequence(
      sequence(oneOf('Dd'), oneOf('89ABab'), hexadecimals(2)),
      literal('\\u'),
      sequence(oneOf('Dd'), oneOf('CDEFcdef'), hexadecimals(2)),
    ),
  ),
)

/** Any one character of a string, escaped or not. */
export const stringCharacter: Part = choice(
  character(PLAIN),
  sequence(literal('\\'), oneOf('"\\/bfnrt')),
  unicodeEscape,
)

/** One character of the set in the one way that is customary: escaped where it has to be. */
export const encodedCharacter = (set: CharacterSet): Part => {
  const escaped = intersection(set, complement(PLAIN)).flatMap(([low, high]) =>
    Array.from({ length: high - low + 1 }, (_, index) => low + index),
  )
  const plain = intersection(set, PLAIN)
  return choice(
    ...(plain.length > 0 ? [character(plain)] : []),
    ...escaped
      .filter((code) => code <= 0x5c)
      .map((code) => literal(SHORT[code] ?? `\\u${code.toString(16).padStart(4, '0')}`)),
  )
}

export const quoted = (content: Part): Part => sequence(literal('"'), content, literal('"'))

/** A string that is none of `names`, without escapes, so that it cannot be one of them in disguise. */
export const otherString = (names: readonly string[]): Part =>
  quoted(unlike(names.map((name) => Array.from(name, (text) => text.codePointAt(0)!))))

const unlike = (names: readonly (readonly number[])[]): Part => {
  const groups = new Map<number, (readonly number[])[]>()
  for (const [first, ...rest] of names)
    if (first !== undefined) groups.set(first, [...(groups.get(first) ?? []), rest])
  const others = intersection(PLAIN, complement([...groups.keys()].map((code) => [code, code])))
  const branches = [...groups].map(([code, rests]) =>
    sequence(character(intersection([[code, code]], PLAIN)), unlike(rests)),
  )
  const different = sequence(character(others), repeat(character(PLAIN), 0, undefined))
  const ended = names.some(({ length }) => length === 0) ? [] : [nothing]
  return choice(different, ...branches, ...ended)
}

const DIGITS = 15
const digits = (least: number, most: number): Part => repeat(digit(), least, most)
const sign = optional(literal('-'))
const whole = choice(literal('0'), sequence(digit(1, 9), digits(0, DIGITS - 1)))

export const anyInteger: Part = sequence(sign, whole)
export const anyNumber: Part = sequence(
  sign,
  whole,
  optional(sequence(literal('.'), digits(1, DIGITS))),
  optional(sequence(oneOf('eE'), optional(oneOf('+-')), digit(1, 9), optional(digit()))),
)
export const anyString: Part = quoted(repeat(stringCharacter, 0, undefined))
