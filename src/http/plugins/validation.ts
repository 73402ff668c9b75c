/**
 * Requests are checked by `core/validation.ts`, so that HTTP bodies, socket messages and configuration are told what is
 * wrong in the same words. Bodies are taken as they are; paths and queries, which hold only text, are converted.
 */
import type { FastifyInstance } from 'fastify'
import type { TSchema } from 'typebox'
import { Convert } from 'typebox/value'
import { RefineError } from '../../core/errors.ts'
import { describeFields, findErrors } from '../../core/validation.ts'

type Outcome = { readonly value: unknown } | { readonly error: RefineError }

const check =
  (schema: TSchema, isBody: boolean) =>
  (given: unknown): Outcome => {
    const value = isBody ? given : Convert(schema, given)
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
