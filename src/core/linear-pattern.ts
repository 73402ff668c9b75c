/**
 * Regular expressions of callers, matched in time linear in the text (RE2's automata): a backtracking engine takes longer
 * than anybody lives for `^(a+)+$` and a text of fifty letters. They are read as ECMAScript reads them with the flag `u`
 * and written anew in RE2's syntax. What no linear engine can do is refused: look-around and back-references.
 */
import { RegExpParser, type AST } from '@eslint-community/regexpp'
import { LRUCache } from 'lru-cache'
import { RE2JS } from 're2js'

const MAX_LENGTH = 2000
/** States of an expression with its repetitions written out; RE2 itself repeats at most 1,000 times. */
const MAX_SIZE = 5000
const MAX_REPEATS = 1000

export interface LinearPattern {
  /** Whether it matches anywhere in the text. */
  test(text: string): boolean
  /** Number of states: matching takes at most so many steps for each character. */
  readonly size: number
}

/** Why an expression cannot be used; the message completes "the pattern …". */
export class PatternRefused extends Error {
  override readonly name = 'PatternRefused'
}

const hex = (code: number): string => String.raw`\x{${code.toString(16)}}`

const LINE_ENDS = String.raw`\n\r\x{2028}\x{2029}`
const EVERYTHING = String.raw`\x{0}-\x{10ffff}`

/** What a class of ECMAScript holds, and what its opposite does: RE2 has no class within a class. */
const CLASSES = {
  digit: ['0-9', String.raw`\D`],
  word: ['A-Za-z0-9_', String.raw`\W`],
  space: [
    String.raw`\x{9}-\x{d}\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`,
    String.raw`\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`,
  ],
} as const

/** @throws PatternRefused for one that RE2 does not know. */
const property = ({ key, value, negate, raw }: AST.UnicodePropertyCharacterSet): string => {
  const written = `\\${negate ? 'P' : 'p'}{${value ?? key}}`
  try {
    RE2JS.compile(written)
  } catch (cause) {
    throw new PatternRefused(`has ${raw}, which is not supported`, { cause })
  }
  return written
}

const member = (element: AST.ClassRangesCharacterClassElement): string => {
  switch (element.type) {
    case 'Character':
      return hex(element.value)
    case 'CharacterClassRange':
      return `${hex(element.min.value)}-${hex(element.max.value)}`
    case 'CharacterSet':
      if (element.kind !== 'property') return CLASSES[element.kind][element.negate ? 1 : 0]
      return property(element)
  }
}

/** Writes an expression in RE2's syntax and counts its states. */
class Translation {
  #size = 0

  get size(): number {
    return this.#size
  }

  /** `copies`: how often repetitions around it write it out. */
  choice(alternatives: readonly AST.Alternative[], copies: number): string {
    const written = alternatives.map(({ elements }) =>
      elements.map((element) => this.#element(element, copies)).join(''),
    )
    return `(?:${written.join('|')})`
  }

  #element(element: AST.Element, copies: number): string {
    this.#size += copies
    if (this.#size > MAX_SIZE) throw new PatternRefused(`has more than ${MAX_SIZE} states`)
    switch (element.type) {
      case 'Assertion':
        return this.#assertion(element)
      case 'Backreference':
        throw new PatternRefused('has a back-reference, which is not supported')
      case 'CapturingGroup':
      case 'Group':
        return this.choice(element.alternatives, copies)
      case 'Character':
        return hex(element.value)
      case 'CharacterClass':
        return this.#class(element)
      case 'CharacterSet':
        return `[${element.kind === 'any' ? `^${LINE_ENDS}` : member(element as AST.ClassRangesCharacterClassElement)}]`
      case 'Quantifier':
        return this.#repeat(element, copies)
      case 'ExpressionCharacterClass':
        throw new PatternRefused('has set operations, which are not supported')
    }
  }

  #assertion(assertion: AST.Assertion): string {
    switch (assertion.kind) {
      case 'start':
        return String.raw`\A`
      case 'end':
        return String.raw`\z`
      case 'word':
        return assertion.negate ? String.raw`\B` : String.raw`\b`
      case 'lookahead':
      case 'lookbehind':
        throw new PatternRefused('looks ahead or behind, which is not supported')
    }
  }

  #class({ elements, negate }: AST.CharacterClass): string {
    if (elements.length === 0) return `[${negate ? '' : '^'}${EVERYTHING}]`
    const members = (elements as AST.ClassRangesCharacterClassElement[]).map(member)
    return `[${negate ? '^' : ''}${members.join('')}]`
  }

  #repeat({ element, min, max }: AST.Quantifier, copies: number): string {
    const most = max === Infinity ? min : max
    if (most > MAX_REPEATS) throw new PatternRefused(`repeats more than ${MAX_REPEATS} times`)
    const written = this.#element(element, copies * Math.max(1, most))
    if (copies * most > MAX_REPEATS) {
      // RE2 counts what repetitions within each other come to: this one is written out.
      const more = max === Infinity ? `${written}*` : `${written}?`.repeat(max - min)
      return `(?:${`(?:${written})`.repeat(min)}${more})`
    }
    return `(?:${written}){${min},${max === Infinity ? '' : max}}`
  }
}

/** Made ready when it is first used: a request may bring thousands that are not. */
const translate = (source: string): LinearPattern => {
  if (source.length > MAX_LENGTH) {
    throw new PatternRefused(`is longer than ${MAX_LENGTH} characters`)
  }
  const parser = new RegExpParser({ ecmaVersion: 2024 })
  const translation = new Translation()
  try {
    const { alternatives } = parser.parsePattern(source, 0, source.length, { unicode: true })
    const written = translation.choice(alternatives, 1)
    let expression: RE2JS | undefined
    const test = (text: string): boolean => (expression ??= RE2JS.compile(written)).test(text)
    return { size: translation.size, test }
  } catch (cause) {
    if (cause instanceof PatternRefused) throw cause
    throw new PatternRefused('is not a regular expression', { cause })
  }
}

const translated = new LRUCache<string, LinearPattern>({ max: 256 })

/** @throws PatternRefused saying what is wrong with it. */
export const linearPattern = (source: string): LinearPattern => {
  const known = translated.get(source)
  if (known !== undefined) return known
  const pattern = translate(source)
  translated.set(source, pattern)
  return pattern
}
