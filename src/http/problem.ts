/** The one body of an error: RFC 9457 problem details with OpenAI's `error` member, so that every client finds its own. */
import { Type, type Static } from 'typebox'
import { CATALOG, type RefineError } from '../core/errors.ts'

export const OpenAiError = Type.Object(
  {
    message: Type.String(),
    type: Type.String(),
    param: Type.Union([Type.String(), Type.Null()]),
    code: Type.String(),
  },
  { $id: 'Error' },
)
export type OpenAiError = Static<typeof OpenAiError>

export const Problem = Type.Object(
  {
    type: Type.String({ description: 'URN of the kind of error.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    request_id: Type.String(),
    run_id: Type.Optional(Type.String()),
    errors: Type.Array(
      Type.Object({
        pointer: Type.String({ description: 'JSON pointer to the field at fault.' }),
        message: Type.String(),
      }),
    ),
    error: OpenAiError,
  },
  { $id: 'Problem', description: 'RFC 9457 problem details, with the `error` member of OpenAI.' },
)
export type Problem = Static<typeof Problem>

export const openAiErrorOf = (error: RefineError): OpenAiError => ({
  message: error.message,
  type: CATALOG[error.code].type,
  param: error.param ?? null,
  code: error.code,
})

export const problemOf = (error: RefineError, requestId: string, runId?: string): Problem => ({
  type: `urn:whetstone:error:${error.code}`,
  title: CATALOG[error.code].title,
  status: error.status,
  detail: error.message,
  request_id: requestId,
  ...(runId === undefined ? {} : { run_id: runId }),
  errors: error.fields.map(({ pointer, message }) => ({ pointer, message })),
  error: openAiErrorOf(error),
})
