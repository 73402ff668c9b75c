/** What OpenAI's protocols say of the tools of a request. Pure. */
import { invalidField } from '../../core/errors.ts'
import type { Tool, ToolChoice } from '../../core/tools.ts'
import type { RunRequest } from '../../runs/run-request.ts'

/** `allowed_tools`: which of the tools may be called this time. */
interface AllowedTools {
  readonly mode: 'auto' | 'required'
  readonly allowed: readonly {
    /** JSON pointer to the name. */
    readonly pointer: string
    readonly name: string
  }[]
}

const allowedOf = (tools: readonly Tool[], { allowed }: AllowedTools): Tool[] => {
  const missing = allowed.find(({ name }) => tools.every((tool) => tool.function.name !== name))
  if (missing !== undefined) {
    throw invalidField(missing.pointer, 'is not the name of one of the `tools`')
  }
  return tools.filter((tool) => allowed.some(({ name }) => tool.function.name === name))
}

/**
 * Clients say a choice and `parallel_tool_calls` also where there are no tools.
 * @throws RefineError invalid_request, naming what is allowed and no tool of the request
 */
export const toolFields = (
  tools: readonly Tool[],
  choice: ToolChoice | AllowedTools | undefined,
  parallel_tool_calls: boolean | undefined,
): Partial<RunRequest> => {
  const several = parallel_tool_calls === undefined ? {} : { parallel_tool_calls }
  if (typeof choice === 'object' && 'allowed' in choice) {
    return { tools: allowedOf(tools, choice), tool_choice: choice.mode, ...several }
  }
  const isIdle = tools.length === 0 && (choice === 'auto' || choice === 'none')
  return {
    ...(tools.length === 0 ? {} : { tools: [...tools], ...several }),
    ...(choice === undefined || isIdle ? {} : { tool_choice: choice }),
  }
}
