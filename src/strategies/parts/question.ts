/** One short reply of a role that is no candidate and no critique. */
import { RefineError } from '../../core/errors.ts'
import type { Prompt } from '../../core/prompts.ts'
import type { Role } from '../../core/task.ts'
import type { Events, Refinement } from '../compose.ts'

/** Temperature 0. A role that fails gives a warning and undefined. */
export async function* question(
  { context }: Refinement,
  role: Role,
  { messages, maxTokens }: Prompt,
): Events<string | undefined> {
  const sampling = { temperature: 0, max_tokens: maxTokens }
  let text = ''
  try {
    const request = { messages, samples: 1, sampling, seed: 0 }
    const chunks = context.models[role].generate(request, { signal: context.signal })
    for await (const chunk of chunks) {
      if (chunk.type === 'failure') throw chunk.error
      if (chunk.type === 'delta') text += chunk.text
    }
    return text
  } catch (thrown) {
    if (!(thrown instanceof RefineError) || context.signal.aborted) throw thrown
    yield { type: 'warning', code: thrown.code, message: thrown.message }
    return undefined
  }
}
