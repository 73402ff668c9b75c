/** One short, deterministic reply of a judge or critic. */
import type { CallOptions, LanguageModel, TokenLogProbability } from '../core/language-model.ts'
import type { Prompt } from '../core/prompts.ts'
import type { Message } from '../core/task.ts'
import { replyOf } from '../core/thinking.ts'

export interface Reply {
  /** What stands behind the model’s thinking; empty where that has no end. */
  readonly text: string
  /** Tokens with their alternatives, where the model tells log-probabilities and was asked for them. */
  readonly firstToken: TokenLogProbability | undefined
  readonly lastToken: TokenLogProbability | undefined
}

/**
 * Asks at temperature 0, or with a seed at 1, and gives the whole reply.
 * @throws RefineError of the model, also when it fails in the middle of the reply.
 */
export const ask = async (
  model: LanguageModel,
  { messages, maxTokens }: Prompt,
  { signal, seed }: CallOptions & { readonly seed?: number },
  topLogProbabilities?: number,
): Promise<Reply> => {
  const request = {
    messages,
    samples: 1,
    sampling: { temperature: seed === undefined ? 0 : 1, max_tokens: maxTokens },
    seed: seed ?? 0,
    ...(topLogProbabilities === undefined ? {} : { topLogProbabilities }),
  }
  let text = ''
  let firstToken: TokenLogProbability | undefined
  let lastToken: TokenLogProbability | undefined
  for await (const chunk of model.generate(request, { signal })) {
    if (chunk.type === 'failure') throw chunk.error
    if (chunk.type !== 'delta') continue
    text += chunk.text
    firstToken ??= chunk.tokens?.[0]
    lastToken = chunk.tokens?.at(-1) ?? lastToken
  }
  return { text: replyOf(text) ?? '', firstToken, lastToken }
}

export interface Verdict<Value> {
  /** Undefined when neither reply could be read. */
  readonly value: Value | undefined
  /** Whether it took a second reply. */
  readonly retried: boolean
}

/**
 * Asks for a verdict, unless the first reply to the prompt is there already; one that cannot be read is shown to the model
 * once, with what is wrong with it.
 */
export const askForVerdict = async <Value>(
  model: LanguageModel,
  prompt: Prompt,
  read: (text: string) => Value | undefined,
  options: CallOptions,
  given?: Reply,
): Promise<Verdict<Value>> => {
  const first = given ?? (await ask(model, prompt, options))
  const value = read(first.text)
  if (value !== undefined) return { value, retried: false }
  const said: Message[] =
    first.text.trim() === '' ? [] : [{ role: 'assistant', content: first.text }]
  const complaint: Message = {
    role: 'user',
    content:
      'That reply could not be read: it is not in the form that was asked for, or a number is out of range. Reply again in exactly that form, with nothing before or after it.',
  }
  const second = await ask(
    model,
    { ...prompt, messages: [...prompt.messages, ...said, complaint] },
    options,
  )
  return { value: read(second.text), retried: true }
}
