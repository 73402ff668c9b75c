/** What references within a schema mean, and what there is in one. Nothing is ever fetched. Pure. */
import { isRecord } from './validation.ts'

type Schema = Readonly<Record<string, unknown>>

/** Words whose values are data: what looks like a schema in them is none. */
const DATA = new Set(['const', 'enum', 'default', 'examples'])
/** Words whose values hold schemas under names of the caller's own. */
const NAMED = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
])

/** Every schema in the schema, itself first. */
export const subschemas = function* (schema: unknown): Generator<Schema, void, void> {
  if (Array.isArray(schema)) for (const each of schema) yield* subschemas(each)
  if (!isRecord(schema)) return
  yield schema
  for (const [keyword, value] of Object.entries(schema)) {
    if (DATA.has(keyword)) continue
    if (NAMED.has(keyword) && isRecord(value)) yield* subschemas(Object.values(value))
    else yield* subschemas(value)
  }
}

const unescape = (token: string): string => token.replaceAll('~1', '/').replaceAll('~0', '~')

const atPointer = (root: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .map(unescape)
    .reduce<unknown>(
      (inner, token) =>
        (isRecord(inner) || Array.isArray(inner)) && Object.hasOwn(inner, token)
          ? (inner as Schema)[token]
          : undefined,
      root,
    )

const find = (root: Schema, reference: string): unknown => {
  if (reference === '' || reference === '#') return root
  if (reference.startsWith('#/')) return atPointer(root, decodeURIComponent(reference.slice(1)))
  const [base, fragment] = reference.split('#', 2)
  const inside = [...subschemas(root)]
  if (base !== '') {
    const named = inside.find(({ $id }) => $id === base || $id === `${base}#`)
    return named === undefined || fragment === undefined ? named : find(named, `#${fragment}`)
  }
  return inside.find(
    ({ $anchor, $dynamicAnchor }) => $anchor === fragment || $dynamicAnchor === fragment,
  )
}

/** By root: finding an anchor means a walk through the whole. */
const found = new WeakMap<Schema, Map<string, unknown>>()

/** The schema that is meant; undefined where there is none. A reference counts from the root, also below another `$id`. */
export const targetOf = (root: Schema, reference: string): unknown => {
  const known = found.get(root) ?? new Map<string, unknown>()
  found.set(root, known)
  if (known.has(reference)) return known.get(reference)
  let target: unknown
  try {
    target = find(root, reference)
  } catch {
    target = undefined // a stray percent sign
  }
  known.set(reference, target)
  return target
}
