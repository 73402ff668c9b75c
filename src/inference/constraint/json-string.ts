/** Strings of a JSON Schema: by pattern, by format or by length. */
import { invalidField } from '../../core/errors.ts'
import type { CharacterSet } from './character-set.ts'
import { anyString, encodedCharacter, quoted, stringCharacter } from './json-text.ts'
import type { Network, Part, Rule } from './network.ts'
import { call, repeat } from './parts.ts'
import { expressionPart } from './regular-expression.ts'
import type { ObjectSchema } from './schema-keywords.ts'

const MONTHS =
  '(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))'
const DATE = `[12]\\d{3}-${MONTHS}`
const TIME =
  '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:0\\d|1[0-4]):[0-5]\\d)'
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?'
const HOST = `${LABEL}(?:\\.${LABEL}){0,5}`
const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const NAME = "[A-Za-z0-9_+'-]{1,32}"

/** Formats that are kept; what is written is always valid, though not all that is valid can be written. */
const FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  'date-time': `${DATE}T${TIME}`,
  duration: 'P(?:\\d{1,4}W|\\d{1,4}D(?:T\\d{1,4}H)?|T\\d{1,4}(?:H|M|S))',
  email: `${NAME}(?:\\.${NAME}){0,2}@${LABEL}(?:\\.${LABEL}){1,4}`,
  hostname: HOST,
  ipv4: `${BYTE}(?:\\.${BYTE}){3}`,
  uuid: '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
  uri: `https?://${HOST}(?::[1-9]\\d{1,3})?(?:/[A-Za-z0-9._~-]{0,64}){0,8}(?:\\?[A-Za-z0-9._~=&-]{0,128})?`,
}

/** Formats of the standard that are not kept; any other name is an annotation. */
const UNSUPPORTED_FORMATS = new Set([
  'idn-email',
  'idn-hostname',
  'ipv6',
  'iri',
  'iri-reference',
  'json-pointer',
  'regex',
  'relative-json-pointer',
  'uri-reference',
  'uri-template',
])

/** Sets of characters as rules: a set that occurs a hundred times is laid out once. */
export class CharacterRules {
  readonly #network: Network
  readonly #encode: (set: CharacterSet) => Part
  readonly #rules = new Map<string, Rule>()

  constructor(network: Network, encode: (set: CharacterSet) => Part) {
    this.#network = network
    this.#encode = encode
  }

  readonly part = (set: CharacterSet): Part => {
    const [first] = set
    if (set.length === 1 && first![0] === first![1]) return this.#encode(set)
    return this.shared(set.join(' '), () => this.#encode(set))
  }

  shared(name: string, part: () => Part): Part {
    return (network, from) => {
      let rule = this.#rules.get(name)
      if (rule === undefined) {
        rule = this.#network.inner()
        this.#rules.set(name, rule)
        this.#network.fill(rule, part())
      }
      return call(rule)(network, from)
    }
  }
}

export class StringParts {
  readonly #characters: CharacterRules

  constructor(network: Network) {
    this.#characters = new CharacterRules(network, encodedCharacter)
  }

  /** @throws RefineError invalid_request where two restrictions would have to hold at once, or one is not supported. */
  part(schema: ObjectSchema, pointer: string): Part {
    const { pattern, format, minLength, maxLength } = schema
    const expression = this.#expression(format, pattern, pointer)
    if (expression === undefined) return this.#byLength(minLength ?? 0, maxLength)
    if (format !== undefined && Object.hasOwn(FORMATS, format) && pattern !== undefined)
      throw invalidField(`${pointer}/format`, 'cannot be combined with pattern')
    for (const keyword of ['minLength', 'maxLength'] as const)
      if (schema[keyword] !== undefined)
        throw invalidField(
          `${pointer}/${keyword}`,
          `cannot be combined with ${pattern === undefined ? 'format' : 'pattern'}`,
        )
    return quoted(expression)
  }

  #expression(format: string | undefined, pattern: string | undefined, pointer: string) {
    const encoding = this.#characters.part
    if (format !== undefined && UNSUPPORTED_FORMATS.has(format))
      throw invalidField(
        `${pointer}/format`,
        `must be one of ${Object.keys(FORMATS).join(', ')}: other formats of the standard are not supported`,
      )
    if (pattern !== undefined)
      return expressionPart(pattern, { pointer: `${pointer}/pattern`, encoding, anywhere: true })
    if (format === undefined || !Object.hasOwn(FORMATS, format)) return undefined
    return expressionPart(FORMATS[format]!, { pointer, encoding, anywhere: false })
  }

  #byLength(least: number, most: number | undefined): Part {
    if (least === 0 && most === undefined) return this.#characters.shared('string', () => anyString)
    const one = this.#characters.shared('character', () => stringCharacter)
    return quoted(repeat(one, least, most))
  }
}
