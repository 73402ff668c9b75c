/** Tools and formats of a request for a response, as a run takes them. Pure. */
import type { ResponseFormat } from '../../core/response-format.ts'
import type { Tool } from '../../core/tools.ts'
import type { RunRequest } from '../../runs/run-request.ts'
import { allowedTools } from './allowed-tools.ts'
import {
  LOGPROBS,
  type FunctionTool,
  type ResponsesRequest,
  type TextFormat,
} from './openai-responses-schema.ts'
import { required, unsupported } from './run-choice.ts'

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

const toolsOf = (body: ResponsesRequest): Partial<RunRequest> => {
  const { tool_choice: choice, parallel_tool_calls } = body
  const tools = (body.tools ?? []).map(readTool)
  const several = parallel_tool_calls === undefined ? {} : { parallel_tool_calls }
  if (typeof choice === 'object' && choice.type === 'allowed_tools') {
    const allowed = choice.tools.map(({ name }, at) => ({
      pointer: `/tool_choice/tools/${at}/name`,
      name,
    }))
    return { tools: allowedTools(tools, allowed), tool_choice: choice.mode, ...several }
  }
  const isIdle = tools.length === 0 && (choice === 'auto' || choice === 'none')
  const tool_choice =
    typeof choice === 'object' ? { type: choice.type, function: { name: choice.name } } : choice
  return {
    ...(tools.length === 0 ? {} : { tools, ...several }),
    ...(tool_choice === undefined || isIdle ? {} : { tool_choice }),
  }
}

/** @throws RefineError invalid_request or unsupported_capability, naming the field. */
export const toolsAndFormat = (body: ResponsesRequest): Partial<RunRequest> => {
  const { text, include = [], top_logprobs = 0 } = body
  const hasLogprobs = top_logprobs > 0 || include.includes(LOGPROBS)
  return {
    ...toolsOf(body),
    ...(text?.format === undefined ? {} : { response_format: readFormat(text.format) }),
    ...(hasLogprobs ? { top_logprobs } : {}),
  }
}
