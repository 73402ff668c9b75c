/** Makes a model say its answer where its text stands: on a side branch, or at the end. */
import { answerOf } from '../../core/answer.ts'
import { RefineError } from '../../core/errors.ts'
import type { Message } from '../../core/task.ts'
import type { Events, Refinement } from '../compose.ts'
import { affordsCall } from './allowance.ts'

/** As Dynasor probes. */
const TEMPERATURE = 0.6
const TOP_P = 0.95
const TOKENS = 20

export interface ForcedAnswer {
  /** The words that asked for it, and the first line of what came. */
  readonly text: string
  /** In tokens, those words aside. */
  readonly tokens: number
  /** Canonical; undefined when none can be found. */
  readonly answer: string | undefined
}

/**
 * `written` is what the assistant has said so far. A model that fails gives a warning and undefined; where budget or
 * context leave no room it is not asked.
 */
export async function* forceAnswer(
  { context }: Refinement,
  messages: readonly Message[],
  written: string,
  seed: number,
): Events<ForcedAnswer | undefined> {
  const { models, prompts, signal } = context
  const { answerCue: cue } = prompts.generator
  const model = models.generator
  const said = { role: 'assistant', content: written + cue } as const
  const input = model.countTokens([...messages, said])
  if (input + TOKENS > (model.contextLength ?? Infinity)) return undefined
  if (!affordsCall(context, model, input, TOKENS)) return undefined
  const sampling = { temperature: TEMPERATURE, top_p: TOP_P, max_tokens: TOKENS }
  const request = { messages, samples: 1, sampling, seed, continueFrom: written + cue }
  let reply = ''
  let tokens = 0
  try {
    for await (const chunk of model.generate(request, { signal })) {
      if (chunk.type === 'failure') throw chunk.error
      if (chunk.type === 'delta') reply += chunk.text
      if (chunk.type === 'finish') tokens = chunk.outputTokens
    }
  } catch (thrown) {
    if (!(thrown instanceof RefineError) || signal.aborted) throw thrown
    yield { type: 'warning', code: thrown.code, message: thrown.message }
    return undefined
  }
  const line = reply.trimStart().split('\n')[0]!.trimEnd()
  const text = cue + line
  return { text, tokens, answer: line === '' ? undefined : answerOf(text) }
}
