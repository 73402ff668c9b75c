/** One short reply of a role that is no candidate and no critique. */
import { RefineError } from '../../core/errors.ts'
import type { StrategyEvent } from '../../core/event.ts'
import type { Prompt } from '../../core/prompts.ts'
import type { Role } from '../../core/task.ts'
import { replyOf } from '../../core/thinking.ts'
import type { Events, Refinement } from '../compose.ts'

/** How a reply is sampled; default: temperature 0, so that the same question is answered the same. */
export interface Voice {
  readonly temperature: number
  readonly seed: number
}

/** The warning about a role whose tokens did not last for its thinking. */
export const unfinishedThinking = (role: Role, maxTokens: number): StrategyEvent => ({
  type: 'warning',
  code: 'unfinished_thinking',
  message: `The ${role} did not come to the end of its thinking in ${maxTokens} tokens.`,
})

/** What stands behind the role’s thinking. A role that fails, or does nothing but think, gives a warning and undefined. */
export async function* question(
  { context }: Refinement,
  role: Role,
  { messages, maxTokens }: Prompt,
  { temperature, seed }: Voice = { temperature: 0, seed: 0 },
): Events<string | undefined> {
  const sampling = { temperature, max_tokens: maxTokens }
  let text = ''
  try {
    const request = { messages, samples: 1, sampling, seed }
    const chunks = context.models[role].generate(request, { signal: context.signal })
    for await (const chunk of chunks) {
      if (chunk.type === 'failure') throw chunk.error
      if (chunk.type === 'delta') text += chunk.text
    }
    const reply = replyOf(text)
    if (reply === undefined) yield unfinishedThinking(role, maxTokens)
    return reply
  } catch (thrown) {
    if (!(thrown instanceof RefineError) || context.signal.aborted) throw thrown
    yield { type: 'warning', code: thrown.code, message: thrown.message }
    return undefined
  }
}
