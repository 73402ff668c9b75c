/** Schemas with an `$id` become named components of a contract, and references to them stand in their places. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type Components = Map<string, Json>

/** Puts a reference in the place of every schema that has an `$id`, and keeps the schema itself as a component. */
export const withReferences = (schema: Json, components: Components): Json => {
  if (Array.isArray(schema)) return schema.map((each) => withReferences(each, components))
  if (schema === null || typeof schema !== 'object') return schema
  const { $id: id, ...rest } = schema
  const inside = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, withReferences(value, components)]),
  )
  if (typeof id !== 'string') return inside
  components.set(id, inside)
  return { $ref: `#/components/schemas/${id}` }
}

/** Without what JSON cannot say. */
export const plain = (schema: unknown): Json => JSON.parse(JSON.stringify(schema)) as Json

/** In the order of their names, so that the contract does not change with the order of the routes. */
export const sortedComponents = (components: Components): Record<string, Json> =>
  Object.fromEntries([...components].toSorted(([left], [right]) => (left < right ? -1 : 1)))
