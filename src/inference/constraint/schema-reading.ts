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

export class SchemaReader {
  readonly #root: Schema
  readonly #pointer: string
  readonly #checked = new WeakSet<object>()

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
    this.check(at.schema, at.pointer)
    const { $ref, allOf = [], ...rest } = at.schema
    const parts = allOf.map((part, index) =>
      this.flatten(part, `${at.pointer}/allOf/${index}`, depth + 1),
    )
    if ($ref !== undefined) {
      const { schema: other, pointer: where } = this.#resolve($ref, at.pointer)
      parts.push(this.flatten(other, where, depth + 1))
    }
    return parts.reduce((left, right) => combine(left, right, at.pointer), rest)
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
