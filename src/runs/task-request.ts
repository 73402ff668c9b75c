/** The part of a run request that says what is asked, and the task it becomes. Wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import { checkConversation } from '../core/conversation.ts'
import { invalidField } from '../core/errors.ts'
import { checkJsonSchema } from '../core/json-schema.ts'
import { ResponseFormat } from '../core/response-format.ts'
import { Message, Sampling, type Task } from '../core/task.ts'
import { Tool, ToolChoice } from '../core/tools.ts'

export const TASK_FIELDS = {
  input: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 1_000_000,
      description: 'The question. Either this or `messages`.',
    }),
  ),
  messages: Type.Optional(
    Type.Array(Message, {
      minItems: 1,
      maxItems: 1000,
      description: 'The conversation; it ends with a message of the user or the result of a tool.',
    }),
  ),
  tools: Type.Optional(
    Type.Array(Tool, {
      maxItems: 128,
      description: 'What an answer may ask the caller to call. Nothing is called here.',
    }),
  ),
  tool_choice: Type.Optional(ToolChoice),
  parallel_tool_calls: Type.Optional(
    Type.Boolean({ description: 'Whether one answer may call several tools; so if absent.' }),
  ),
  response_format: Type.Optional(ResponseFormat),
  sampling: Type.Optional(Sampling),
  top_logprobs: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 20,
      description: 'Tells the log-probabilities of the tokens of candidates, with so many others.',
    }),
  ),
}
const TaskRequest = Type.Object(TASK_FIELDS)
export type TaskRequest = Static<typeof TaskRequest>

const checkTools = ({
  tools = [],
  tool_choice: choice,
  parallel_tool_calls,
}: TaskRequest): void => {
  const names = tools.map((tool) => tool.function.name)
  names.forEach((name, at) => {
    if (names.indexOf(name) === at) return
    throw invalidField(`/tools/${at}/function/name`, 'is that of another tool')
  })
  tools.forEach(({ function: { parameters } }, at) => {
    if (parameters !== undefined) checkJsonSchema(parameters, `/tools/${at}/function/parameters`)
  })
  if (tools.length === 0 && parallel_tool_calls !== undefined) {
    throw invalidField('/parallel_tool_calls', 'needs `tools`')
  }
  if (choice === undefined || choice === 'none' || choice === 'auto') return
  if (tools.length === 0) throw invalidField('/tool_choice', 'needs `tools`')
  if (choice === 'required' || names.includes(choice.function.name)) return
  throw invalidField('/tool_choice/function/name', 'is not the name of one of the `tools`')
}

const checkFormat = (format: ResponseFormat | undefined): void => {
  if (format === undefined) return
  const isNamed = format.type === 'json_schema'
  const pointer = '/response_format/json_schema'
  if (isNamed && format.json_schema === undefined) throw invalidField(pointer, 'is required')
  if (!isNamed && format.json_schema !== undefined) {
    throw invalidField(pointer, 'goes with the type "json_schema" only')
  }
  if (format.json_schema?.schema !== undefined) {
    checkJsonSchema(format.json_schema.schema, `${pointer}/schema`)
  }
}

const messagesOf = ({ input, messages }: TaskRequest): readonly Message[] => {
  if (input !== undefined && messages !== undefined) {
    throw invalidField('/input', 'give either `input` or `messages`, not both')
  }
  if (messages !== undefined) {
    checkConversation(messages)
    return messages
  }
  if (input === undefined) throw invalidField('/input', 'is required, or `messages` in its place')
  return [{ role: 'user', content: input }]
}

/** Tools that may not be called are as good as none. */
const toolsOf = (
  request: TaskRequest,
): Pick<Task, 'tools' | 'toolChoice' | 'parallelToolCalls'> => {
  const { tools = [], tool_choice: choice, parallel_tool_calls: parallel } = request
  if (tools.length === 0 || choice === 'none') return {}
  return {
    tools,
    ...(choice !== undefined && { toolChoice: choice }),
    ...(parallel !== undefined && { parallelToolCalls: parallel }),
  }
}

/**
 * The task of a request.
 * @throws RefineError invalid_request naming the field: not exactly one of `input` and `messages`, a conversation that
 * does not hold together or ends with an answer, tools or schemas that cannot be used.
 */
export const taskOf = (request: TaskRequest): Task => {
  const messages = messagesOf(request)
  checkTools(request)
  checkFormat(request.response_format)
  const { sampling = {}, response_format: format, top_logprobs: alternatives } = request
  return {
    messages,
    sampling,
    ...toolsOf(request),
    ...(format !== undefined && { responseFormat: format }),
    ...(alternatives !== undefined && { topLogProbabilities: alternatives }),
  }
}
