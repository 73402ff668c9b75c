/** Regular expressions in ECMAScript's syntax (flag `u`) as parts of a network. */
import { RegExpParser, RegExpSyntaxError, type AST } from '@eslint-community/regexpp'
import { LRUCache } from 'lru-cache'
import { invalidField, type RefineError } from '../../core/errors.ts'
import { ALL, charactersWhere, complement, union, type CharacterSet } from './character-set.ts'
import type { Part } from './network.ts'
import { choice, nothing, repeat, sequence } from './parts.ts'

/** Makes a part of one character of the set: plain, or as it is written in a JSON string. */
export type Encoding = (set: CharacterSet) => Part

export interface ExpressionOptions {
  /** Where the expression stands in the request. */
  readonly pointer: string
  readonly encoding: Encoding
  /** The expression may match anywhere in the text, as JSON Schema's `pattern` does; otherwise it must match all of it. */
  readonly anywhere: boolean
}

/** Groups inside each other: parser, compiler and network follow them on the stack. */
const MAX_DEPTH = 500

const parser = new RegExpParser({ ecmaVersion: 2024 })
/** What `\w`, `\p{L}` and the like stand for takes tens of milliseconds to find out. */
const classes = new LRUCache<string, CharacterSet>({ max: 64 })

const classOf = (raw: string): CharacterSet => {
  const known = classes.get(raw)
  if (known !== undefined) return known
  const expression = new RegExp(`^${raw}$`, 'u')
  const set = charactersWhere((text) => expression.test(text))
  classes.set(raw, set)
  return set
}

const UNSUPPORTED: Readonly<Record<string, string>> = {
  lookahead: 'look-ahead',
  lookbehind: 'look-behind',
  word: 'the word boundary \\b',
  Backreference: 'a back-reference',
  ExpressionCharacterClass: 'set operations',
  start: '^ other than at the beginning',
  end: '$ other than at the end',
}

class ExpressionCompiler {
  readonly #options: ExpressionOptions
  #depth = 0

  constructor(options: ExpressionOptions) {
    this.#options = options
  }

  pattern({ alternatives }: AST.Pattern): Part {
    return choice(...alternatives.map((alternative) => this.#whole(alternative)))
  }

  /** An alternative of the whole expression: here anchors have a meaning. */
  #whole({ elements }: AST.Alternative): Part {
    const starts = isAnchor(elements[0], 'start')
    const ends = isAnchor(elements.at(-1), 'end')
    const inner = elements.slice(starts ? 1 : 0, ends ? -1 : undefined)
    const anything = repeat(this.#options.encoding(ALL), 0, undefined)
    const around = (anchored: boolean): Part =>
      anchored || !this.#options.anywhere ? nothing : anything
    return sequence(around(starts), ...inner.map((element) => this.#element(element)), around(ends))
  }

  #alternatives(alternatives: readonly AST.Alternative[]): Part {
    if (++this.#depth > MAX_DEPTH) throw tooDeep(this.#options)
    const parts = alternatives.map(({ elements }) =>
      sequence(...elements.map((element) => this.#element(element))),
    )
    this.#depth--
    return choice(...parts)
  }

  #element(element: AST.Element): Part {
    switch (element.type) {
      case 'Character':
        return this.#options.encoding([[element.value, element.value]])
      case 'CharacterSet':
        return this.#options.encoding(classOf(element.raw))
      case 'CharacterClass':
        return this.#options.encoding(this.#class(element))
      case 'CapturingGroup':
        return this.#alternatives(element.alternatives)
      case 'Group':
        if (element.modifiers !== null) return this.#refuse('a group with flags', element)
        return this.#alternatives(element.alternatives)
      case 'Quantifier': {
        const most = element.max === Infinity ? undefined : element.max
        return repeat(this.#element(element.element), element.min, most)
      }
      case 'Assertion':
        return this.#refuse(UNSUPPORTED[element.kind]!, element)
      case 'Backreference':
      case 'ExpressionCharacterClass':
        return this.#refuse(UNSUPPORTED[element.type]!, element)
    }
  }

  #class({ elements, negate, raw }: AST.CharacterClass): CharacterSet {
    const sets = elements.map((element): CharacterSet => {
      switch (element.type) {
        case 'Character':
          return [[element.value, element.value]]
        case 'CharacterClassRange':
          return [[element.min.value, element.max.value]]
        case 'CharacterSet':
          return classOf(element.raw)
        case 'CharacterClass':
        case 'ClassStringDisjunction':
        case 'ExpressionCharacterClass':
          return classOf(raw)
      }
    })
    const set = union(...sets)
    return negate ? complement(set) : set
  }

  #refuse(what: string, { raw, start }: AST.Node): never {
    throw invalidField(
      this.#options.pointer,
      `must do without ${what} (${raw} at character ${start}): only what reads the text once from left to right is supported`,
    )
  }
}

const tooDeep = ({ pointer }: ExpressionOptions): RefineError =>
  invalidField(pointer, `is nested too deeply: ${MAX_DEPTH} groups at most`)

const isAnchor = (element: AST.Element | undefined, kind: 'start' | 'end'): boolean =>
  element?.type === 'Assertion' && element.kind === kind

/** @throws RefineError invalid_request for a syntax error, look-around, back-references and anchors inside. */
export const expressionPart = (source: string, options: ExpressionOptions): Part => {
  try {
    const pattern = parser.parsePattern(source, 0, source.length, { unicode: true })
    return new ExpressionCompiler(options).pattern(pattern)
  } catch (thrown) {
    // The parser itself has come to the end of the stack.
    if (thrown instanceof RangeError) throw tooDeep(options)
    if (!(thrown instanceof RegExpSyntaxError)) throw thrown
    throw invalidField(
      options.pointer,
      `is no regular expression with the flag u: ${thrown.message}`,
    )
  }
}
