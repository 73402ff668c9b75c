/**
 * OpenAI and Anthropic take null for "not given" in every optional field, and their clients in Python send back whole
 * messages with a null for every field that is not set. Pure.
 */
import { isRecord } from '../../core/validation.ts'

/** What is the caller's own data, in which a null means something. */
const FREE: ReadonlySet<string> = new Set([
  'input_schema',
  'metadata',
  'output',
  'parameters',
  'refine',
  'schema',
])

/** Beside those, `input` in the blocks of Anthropic's protocol: the arguments of a call. */
export const FREE_IN_BLOCKS: ReadonlySet<string> = new Set([...FREE, 'input'])

/** The body without the fields that are null, at any depth but in `free` fields. */
export const withoutNulls = (value: unknown, free = FREE): unknown => {
  if (Array.isArray(value)) return value.map((each) => withoutNulls(each, free))
  if (!isRecord(value)) return value
  const given = Object.entries(value).filter(([, each]) => each !== null)
  return Object.fromEntries(
    given.map(([key, each]) => [key, free.has(key) ? each : withoutNulls(each, free)]),
  )
}
