/** `allowed_tools`: which of the tools of a request may be called this time. Pure. */
import { invalidField } from '../../core/errors.ts'
import type { Tool } from '../../core/tools.ts'

interface Named {
  /** JSON pointer to the name. */
  readonly pointer: string
  readonly name: string
}

/** @throws RefineError invalid_request, naming what is no tool of the request */
export const allowedTools = (tools: readonly Tool[], allowed: readonly Named[]): Tool[] => {
  const missing = allowed.find(({ name }) => tools.every((tool) => tool.function.name !== name))
  if (missing !== undefined) {
    throw invalidField(missing.pointer, 'is not the name of one of the `tools`')
  }
  return tools.filter((tool) => allowed.some(({ name }) => tool.function.name === name))
}
