/** Whether a candidate is what the task asks for in form: its JSON, its tool calls. What it says is not judged here. */
import type { Answer } from './answer-record.ts'
import { canonicalJson } from './canonical-json.ts'
import { schemaErrors } from './json-schema.ts'
import { schemaOf } from './response-format.ts'
import type { Task } from './task.ts'
import { canonicalCall, parseJson, type ToolCall } from './tools.ts'

/** Name of the scorer that only looks at the form: 1 or 0. */
export const FORM = 'form'

/** A candidate's text and what it proposes to call. */
export interface Proposal {
  readonly text: string
  readonly toolCalls: readonly ToolCall[]
}

/** What an answer or a candidate of a run proposes. */
export const proposalOf = ({
  text,
  tool_calls,
}: Pick<Answer, 'text' | 'tool_calls'>): Proposal => ({
  text,
  toolCalls: tool_calls ?? [],
})

/** The proposal as reviewers, judges and votes see it. */
export const proposalText = ({ text, toolCalls }: Proposal): string =>
  [
    ...(text.trim() === '' && toolCalls.length > 0 ? [] : [text]),
    ...toolCalls.map(canonicalCall),
  ].join('\n')

const describe = (errors: ReturnType<typeof schemaErrors>): string =>
  errors.map(({ pointer, message }) => `${pointer} ${message}`.trim()).join('; ')

const callFault = (
  task: Task,
  { function: { name, arguments: given } }: ToolCall,
): string | undefined => {
  const tool = task.tools?.find((each) => each.function.name === name)
  if (tool === undefined) return `it calls "${name}", which is no tool of the request`
  const parsed = parseJson(given.trim() === '' ? '{}' : given)
  if (parsed === undefined) return `the arguments of "${name}" are not JSON`
  const errors = schemaErrors({ type: 'object', ...tool.function.parameters }, parsed.value)
  return errors.length === 0
    ? undefined
    : `the arguments of "${name}" do not fit: ${describe(errors)}`
}

const choiceFault = (
  { toolChoice, parallelToolCalls }: Task,
  calls: readonly ToolCall[],
): string | undefined => {
  if (parallelToolCalls === false && calls.length > 1) return 'it calls more than one tool'
  if (toolChoice === undefined || toolChoice === 'auto') return undefined
  if (toolChoice === 'none')
    return calls.length > 0 ? 'it calls a tool, which was ruled out' : undefined
  if (calls.length === 0) return 'it calls no tool, which was required'
  if (toolChoice === 'required') return undefined
  const { name } = toolChoice.function
  return calls.every((call) => call.function.name === name)
    ? undefined
    : `it does not call "${name}"`
}

const formatFault = (task: Task, text: string): string | undefined => {
  const schema = schemaOf(task.responseFormat)
  if (schema === undefined) return undefined
  const parsed = parseJson(text)
  if (parsed === undefined) return 'its text is not JSON'
  const errors = schemaErrors(schema, parsed.value)
  return errors.length === 0 ? undefined : `its JSON does not fit: ${describe(errors)}`
}

/** No task asks for nothing. */
export const EMPTY = 'it is empty'

/** Whether the task asks for any form at all. */
export const asksForForm = (task: Task): boolean =>
  schemaOf(task.responseFormat) !== undefined || (task.tools?.length ?? 0) > 0

/** What is wrong with the form of a proposal, undefined when nothing is. The text beside tool calls may be anything. */
export const faultOf = (task: Task, { text, toolCalls }: Proposal): string | undefined => {
  const choice = choiceFault(task, toolCalls)
  if (choice !== undefined) return choice
  for (const call of toolCalls) {
    const fault = callFault(task, call)
    if (fault !== undefined) return fault
  }
  if (toolCalls.length > 0) return undefined
  return text.trim() === '' ? EMPTY : formatFault(task, text)
}

/** The canonical form of a proposal that is data: its calls, or its JSON; undefined for one that is prose. */
export const canonicalProposal = (
  task: Task,
  { text, toolCalls }: Proposal,
): string | undefined => {
  if (toolCalls.length > 0) return toolCalls.map(canonicalCall).toSorted().join('\n')
  if (schemaOf(task.responseFormat) === undefined) return undefined
  const parsed = parseJson(text)
  return parsed === undefined ? undefined : canonicalJson(parsed.value)
}
