/** Reads JSON Schemas: checks the form of their keywords, follows references, and takes `allOf` together. */
import { describeFields, findErrors } from '../../core/validation.ts'
import { RefineError, invalidField } from '../../core/errors.ts'
import { combine } from './schema-combining.ts'
import {
  assertions,
  IMPOSSIBLE,
  Keywords,
  UNSUPPORTED,
  type ObjectSchema,
  type Schema,
} from './schema-keywords.ts'

/** What a part of a JSON pointer in an address names; undefined where it is malformed. */
const keyOf = (part: string): string | undefined => {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return undefined
  }
}

/** Schemas and properties that are taken together to make one; a few hundred for a schema of a few hundred fields. */
const MAX_COMBINED = 100_000

export class SchemaReader {
  readonly #root: Schema
  readonly #pointer: string
  readonly #checked = new WeakSet<object>()
  readonly #flat = new WeakMap<object, ObjectSchema>()
  #combined = 0

  constructor(root: Schema, pointer: string) {
    this.#root = root
    this.#pointer = pointer
  }

  /** @throws RefineError invalid_request naming the keyword that is malformed or not supported. */
  check(schema: ObjectSchema, pointer: string): void {
    if (this.#checked.has(schema)) return
    const fields = findErrors(Keywords, schema, pointer)
    if (fields.length > 0)
      throw new RefineError('invalid_request', describeFields(fields), { fields })
    for (const keyword of UNSUPPORTED)
      if (Object.hasOwn(schema, keyword))
        throw invalidField(
          `${pointer}/${keyword}`,
          'is not supported: an answer cannot be held to it while it is written',
        )
    this.#checked.add(schema)
  }

  /** Where a schema that is nothing but a reference leads; any other is returned as it is. */
  target(schema: Schema, pointer: string): { schema: Schema; pointer: string } {
    const seen = new Set<Schema>()
    let at = { schema, pointer }
    while (typeof at.schema === 'object' && assertions(at.schema).join() === '$ref') {
      this.check(at.schema, at.pointer)
      if (seen.has(at.schema)) throw invalidField(pointer, 'refers to itself and to nothing else')
      seen.add(at.schema)
      at = this.#resolve(at.schema.$ref!, at.pointer)
    }
    return at
  }

  /** The same schema without references and `allOf` on its own level. */
  flatten(schema: Schema, pointer: string, depth = 0): ObjectSchema {
    if (depth > 64) throw invalidField(pointer, 'combines schemas without end')
    const at = this.target(schema, pointer)
    if (at.schema === true) return {}
    if (at.schema === false) return IMPOSSIBLE
    const known = this.#flat.get(at.schema)
    if (known !== undefined) return known
    this.check(at.schema, at.pointer)
    const { $ref, allOf = [], ...rest } = at.schema
    const parts = allOf.map((part, index) =>
      this.flatten(part, `${at.pointer}/allOf/${index}`, depth + 1),
    )
    if ($ref !== undefined) {
      const { schema: other, pointer: where } = this.#resolve($ref, at.pointer)
      parts.push(this.flatten(other, where, depth + 1))
    }
    const flat = parts.reduce((left, right) => this.#combine(left, right, at.pointer), rest)
    this.#flat.set(at.schema, flat)
    return flat
  }

  #combine(left: ObjectSchema, right: ObjectSchema, pointer: string): ObjectSchema {
    const made = combine(left, right, pointer)
    this.#combined += 1 + Object.keys(made.properties ?? {}).length
    if (this.#combined > MAX_COMBINED) throw invalidField(pointer, 'combines too many schemas')
    return made
  }

  #resolve(reference: string, pointer: string): { schema: Schema; pointer: string } {
    const at = `${pointer}/$ref`
    if (reference !== '#' && !reference.startsWith('#/'))
      throw invalidField(
        at,
        'must begin with "#/": only definitions in the schema itself are known',
      )
    let found: unknown = this.#root
    for (const part of reference.split('/').slice(1)) {
      const key = keyOf(part)
      found =
        key !== undefined &&
        typeof found === 'object' &&
        found !== null &&
        Object.hasOwn(found, key)
          ? (found as Record<string, unknown>)[key]
          : undefined
    }
    if (typeof found === 'boolean') return { schema: found, pointer: at }
    if (typeof found !== 'object' || found === null || Array.isArray(found))
      throw invalidField(at, `leads to no schema: ${reference}`)
    return { schema: found, pointer: this.#pointer + reference.slice(1) }
  }
}
