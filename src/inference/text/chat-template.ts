/** Renders a conversation as the model was trained to see it, by the Jinja template of its checkpoint. */
import { Template } from '@huggingface/jinja'
import { RefineError } from '../../core/errors.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { badModelFile } from '../checkpoint/tensor-source.ts'
import type { TokenizerConfig } from '../checkpoint/tokenizer-file.ts'
import { STRIPS, withStrips } from './template-strips.ts'

/** A message in the form that templates are written for: as OpenAI's, but arguments of calls are values and not JSON. */
export interface TemplateMessage {
  readonly role: string
  readonly content: string
  readonly tool_calls?: readonly {
    readonly id: string
    readonly type: 'function'
    readonly function: { readonly name: string; readonly arguments: unknown }
  }[]
  readonly tool_call_id?: string
  /** Of the tool whose result it is. */
  readonly name?: string
}

export interface RenderOptions {
  /** Ends where the assistant's answer begins; so if absent. Otherwise behind the last message. */
  readonly prompted?: boolean
  readonly tools?: readonly object[] | undefined
}

export type ChatTemplate = (messages: readonly TemplateMessage[], options?: RenderOptions) => string

/** A model that only embeds has no template: it reads texts as they are. */
export const joinTexts: ChatTemplate = (messages) =>
  messages.map(({ content }) => content).join('\n')

/** Templates by name; most models have one. */
const templateTexts = (path: string, { chat_template: template }: TokenizerConfig) => {
  const named = (name: string): string | undefined =>
    Array.isArray(template)
      ? template.find((entry) => entry.name === name)?.template
      : name === 'default'
        ? template
        : undefined
  const text = named('default')
  if (text === undefined)
    throw badModelFile(
      path,
      'expected a chat template: in tokenizer_config.json, chat_template.jinja, or the metadata',
    )
  return { text, withTools: named('tool_use') ?? text }
}

const parse = (path: string, text: string): Template => {
  try {
    return withStrips(new Template(text))
  } catch (cause) {
    throw badModelFile(path, `its chat template cannot be parsed: ${String(cause)}`, cause)
  }
}

const contentOf = (token: TokenizerConfig['bos_token']): string =>
  typeof token === 'string' ? token : (token?.content ?? '')

/**
 * The renderer throws RefineError invalid_request when the template refuses the conversation.
 * @throws RefineError model_failed when there is no template or it cannot be parsed.
 */
export const readChatTemplate = (checkpoint: Checkpoint): ChatTemplate => {
  const config = checkpoint.tokenizerConfig()
  const { text, withTools } = templateTexts(checkpoint.path, config)
  const plain = parse(checkpoint.path, text)
  const tooled = withTools === text ? plain : parse(checkpoint.path, withTools)
  const tokens = { bos_token: contentOf(config.bos_token), eos_token: contentOf(config.eos_token) }
  return (messages, { prompted = true, tools } = {}) => {
    // Where there are no tools templates are given none, which differs from nothing: they ask for both.
    const none = { tools: tools ?? null, documents: null }
    const given = { messages, add_generation_prompt: prompted, ...tokens, ...none, ...STRIPS }
    try {
      return (tools === undefined ? plain : tooled).render(given)
    } catch (cause) {
      throw new RefineError(
        'invalid_request',
        `The model's chat template does not take these messages: ${String(cause)}`,
        { param: 'messages', cause },
      )
    }
  }
}
