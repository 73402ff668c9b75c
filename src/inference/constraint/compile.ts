/** From a grammar to the automaton that runs it. */
import { invalidField, RefineError } from '../../core/errors.ts'
import { Automaton } from './automaton.ts'
import type { Grammar } from './grammar.ts'
import { schemaRule } from './json-schema.ts'
import { CharacterRules } from './json-string.ts'
import { Network, type Part, type Rule } from './network.ts'
import { call, character, choice, literal, nothing, repeat, sequence } from './parts.ts'
import { expressionPart } from './regular-expression.ts'
import type { ObjectSchema } from './schema-keywords.ts'

const MAX_CHOICES = 10_000
/** UTF-16 units of an expression or a schema as JSON. */
const MAX_LENGTH = 262_144

const refuseLong = (text: string, pointer: string): void => {
  if (text.length > MAX_LENGTH)
    throw invalidField(pointer, `must have at most ${MAX_LENGTH} characters`)
}

const choiceRule = (network: Network, choices: readonly string[]): Rule => {
  const pointer = '/constraint/choices'
  if (choices.length === 0 || choices.length > MAX_CHOICES)
    throw invalidField(pointer, `must be 1 to ${MAX_CHOICES} texts`)
  if (choices.includes('')) throw invalidField(pointer, 'must not hold an empty text')
  const rule = network.rule(pointer)
  network.fill(rule, choice(...choices.map(literal)))
  return rule
}

const expressionRule = (network: Network, pattern: string): Rule => {
  const pointer = '/constraint/pattern'
  refuseLong(pattern, pointer)
  const rule = network.rule(pointer)
  const encoding = new CharacterRules(network, character).part
  network.fill(rule, expressionPart(pattern, { pointer, encoding, anywhere: false }))
  return rule
}

type Json = Extract<Grammar, { type: 'json' }>

class GrammarCompiler {
  readonly network = new Network()
  readonly loosened: string[] = []

  rule(grammar: Grammar): Rule {
    switch (grammar.type) {
      case 'choice':
        return choiceRule(this.network, grammar.choices)
      case 'regex':
        return expressionRule(this.network, grammar.pattern)
      case 'json_schema':
        return this.#schema(grammar.schema, '/constraint/schema')
      case 'json':
        return this.#json(grammar)
      case 'text':
      case 'sequence':
      case 'one_of':
      case 'list': {
        const rule = this.network.rule('/constraint')
        this.network.fill(rule, this.#part(grammar))
        return rule
      }
    }
  }

  #part(grammar: Grammar): Part {
    switch (grammar.type) {
      case 'text':
        return grammar.text === '' ? nothing : literal(grammar.text)
      case 'sequence':
        return sequence(...grammar.parts.map((part) => this.#part(part)))
      case 'one_of':
        return choice(...grammar.options.map((option) => this.#part(option)))
      case 'list': {
        const item = call(this.rule(grammar.item))
        return sequence(item, repeat(sequence(literal(grammar.between), item), 0, undefined))
      }
      case 'choice':
      case 'regex':
      case 'json_schema':
      case 'json':
        return call(this.rule(grammar))
    }
  }

  #schema(schema: Json['schema'], pointer: string): Rule {
    refuseLong(JSON.stringify(schema), pointer)
    return schemaRule(this.network, schema as ObjectSchema, pointer)
  }

  #json({ schema, pointer, loose }: Json): Rule {
    if (loose && !isKept(schema, pointer)) {
      this.loosened.push(pointer)
      return this.#schema({ type: 'object' }, pointer)
    }
    return this.#schema(schema, pointer)
  }
}

/** Tried in a network of its own: what a refused schema leaves behind is thrown away with it. */
const isKept = (schema: Json['schema'], pointer: string): boolean => {
  try {
    compileGrammar({ type: 'json', schema, pointer, loose: false })
    return true
  } catch (thrown) {
    if (thrown instanceof RefineError && thrown.code === 'invalid_request') return false
    throw thrown
  }
}

export interface CompiledGrammar {
  readonly automaton: Automaton
  /** Pointers to the schemas that cannot be held to: they became any JSON object. */
  readonly loosened: readonly string[]
}

/** @throws RefineError invalid_request naming what cannot be held to, by a JSON pointer: below `/constraint`, or as given. */
export const compileGrammar = (grammar: Grammar): CompiledGrammar => {
  const compiler = new GrammarCompiler()
  const rule = compiler.rule(grammar)
  compiler.network.seal(rule)
  return { automaton: new Automaton(compiler.network, rule), loosened: compiler.loosened }
}

/** @throws RefineError invalid_request as `compileGrammar`. */
export const compileConstraint = (grammar: Grammar): Automaton => compileGrammar(grammar).automaton
