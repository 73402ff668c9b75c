/** From a constraint of the port to the automaton that runs it. */
import { invalidField } from '../../core/errors.ts'
import type { Constraint } from '../../core/language-model.ts'
import { Automaton } from './automaton.ts'
import { schemaRule } from './json-schema.ts'
import { CharacterRules } from './json-string.ts'
import { Network, type Rule } from './network.ts'
import { character, choice, literal } from './parts.ts'
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

const ruleOf = (network: Network, constraint: Constraint): Rule => {
  switch (constraint.type) {
    case 'choice':
      return choiceRule(network, constraint.choices)
    case 'regex':
      return expressionRule(network, constraint.pattern)
    case 'json_schema':
      refuseLong(JSON.stringify(constraint.schema), '/constraint/schema')
      return schemaRule(network, constraint.schema as ObjectSchema, '/constraint/schema')
  }
}

/** @throws RefineError invalid_request naming what cannot be held to, by a JSON pointer below `/constraint`. */
export const compileConstraint = (constraint: Constraint): Automaton => {
  const network = new Network()
  const rule = ruleOf(network, constraint)
  network.seal(rule)
  return new Automaton(network, rule)
}
