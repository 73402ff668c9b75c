/** Tools and formats of a request for a response, as a run takes them. Pure. */
import type { ResponseFormat } from '../../core/response-format.ts'
import type { Tool } from '../../core/tools.ts'
import type { RunRequest } from '../../runs/run-request.ts'
import {
  LOGPROBS,
  type FunctionTool,
  type ResponsesRequest,
  type TextFormat,
} from './openai-responses-schema.ts'
import { required, unsupported } from './run-choice.ts'
import { toolFields } from './tool-fields.ts'

const readTool = (tool: FunctionTool, at: number): Tool => {
  const { type, name, description, parameters, strict } = tool
  if (type !== 'function') {
    throw unsupported(`/tools/${at}/type`, `"${type}" tools are not supported, only "function"`)
  }
  return {
    type,
    function: {
      name: required(name, `/tools/${at}/name`),
      ...(description === undefined || description === null ? {} : { description }),
      ...(parameters === undefined || parameters === null ? {} : { parameters }),
      ...(strict === undefined ? {} : { strict }),
    },
  }
}

const readFormat = (format: TextFormat): ResponseFormat => {
  const { type, name, description, schema, strict } = format
  if (type !== 'json_schema') return { type }
  return {
    type,
    json_schema: {
      name: required(name, '/text/format/name'),
      ...(description === undefined ? {} : { description }),
      ...(schema === undefined ? {} : { schema }),
      ...(strict === undefined ? {} : { strict }),
    },
  }
}

const choiceOf = ({ tool_choice: choice }: ResponsesRequest) => {
  if (typeof choice !== 'object') return choice
  if (choice.type === 'function') {
    return { type: choice.type, function: { name: choice.name } }
  }
  const allowed = choice.tools.map(({ name }, at) => ({
    pointer: `/tool_choice/tools/${at}/name`,
    name,
  }))
  return { mode: choice.mode, allowed }
}

/** @throws RefineError invalid_request or unsupported_capability, naming the field. */
export const toolsAndFormat = (body: ResponsesRequest): Partial<RunRequest> => {
  const { tools = [], parallel_tool_calls, text, include = [], top_logprobs = 0 } = body
  const hasLogprobs = top_logprobs > 0 || include.includes(LOGPROBS)
  return {
    ...toolFields(tools.map(readTool), choiceOf(body), parallel_tool_calls),
    ...(text?.format === undefined ? {} : { response_format: readFormat(text.format) }),
    ...(hasLogprobs ? { top_logprobs } : {}),
  }
}
