/**
 * Requests are checked by `core/validation.ts`, so that HTTP bodies, socket messages and configuration are told what is
 * wrong in the same words. Bodies are taken as they are; paths and queries, which hold only text, are converted.
 */
import type { FastifyInstance } from 'fastify'
import type { TSchema } from 'typebox'
import { RefineError } from '../../core/errors.ts'
import { describeFields, findErrors } from '../../core/validation.ts'

type Outcome = { readonly value: unknown } | { readonly error: RefineError }

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i

/** Text that reads as the JSON of what is expected there becomes it; any other stays text, which the check refuses. */
const fromText = ({ type }: { readonly type?: unknown }, given: unknown): unknown => {
  if (type === 'array') return [given].flat()
  if (typeof given !== 'string') return given
  if (type === 'boolean' && /^(true|false)$/.test(given)) return given === 'true'
  const isNumber = (type === 'integer' || type === 'number') && NUMBER.test(given)
  return isNumber ? Number(given) : given
}

const fromTexts = (schema: TSchema, given: unknown): unknown => {
  const { properties = {} } = schema as { readonly properties?: Record<string, TSchema> }
  const values = Object.entries(given as Record<string, unknown>)
  return Object.fromEntries(
    values.map(([key, value]) => [
      key,
      Object.hasOwn(properties, key) ? fromText(properties[key]!, value) : value,
    ]),
  )
}

const check =
  (schema: TSchema, isBody: boolean) =>
  (given: unknown): Outcome => {
    const value = isBody ? given : fromTexts(schema, given)
    const fields = findErrors(schema, value)
    return fields.length === 0
      ? { value }
      : { error: new RefineError('invalid_request', describeFields(fields), { fields }) }
  }

export const registerValidation = (app: FastifyInstance): void => {
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => check(schema, httpPart === 'body'))
  // Replies are built by typed code: a serializer made from the schema could only drop fields in silence.
  app.setSerializerCompiler(() => JSON.stringify)
}
