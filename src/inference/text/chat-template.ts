/** Renders a conversation as the model was trained to see it, by the Jinja template of its checkpoint. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { Template } from '@huggingface/jinja'
import { Type, type Static } from 'typebox'
import { RefineError } from '../../core/errors.ts'
import type { Message } from '../../core/task.ts'
import { badModelFile } from '../checkpoint/tensor-source.ts'

const Special = Type.Optional(
  Type.Union([Type.String(), Type.Object({ content: Type.String() }), Type.Null()]),
)

/** The parts of `tokenizer_config.json` that matter here. */
export const TokenizerConfig = Type.Object({
  chat_template: Type.Optional(
    Type.Union([
      Type.String(),
      Type.Array(Type.Object({ name: Type.String(), template: Type.String() })),
    ]),
  ),
  bos_token: Special,
  eos_token: Special,
})
export type TokenizerConfig = Static<typeof TokenizerConfig>

const TEMPLATE_FILE = 'chat_template.jinja'

const templateText = (folder: string, config: TokenizerConfig): string => {
  const file = path.join(folder, TEMPLATE_FILE)
  if (existsSync(file)) return readFileSync(file, 'utf8')
  const { chat_template: template } = config
  const text =
    typeof template === 'string'
      ? template
      : template?.find(({ name }) => name === 'default')?.template
  if (text === undefined)
    throw badModelFile(
      folder,
      `expected chat_template in tokenizer_config.json, or ${TEMPLATE_FILE}`,
    )
  return text
}

const contentOf = (token: Static<typeof Special> | undefined): string =>
  typeof token === 'string' ? token : (token?.content ?? '')

/** The conversation up to the point where the assistant's answer begins. */
export type ChatTemplate = (messages: readonly Message[]) => string

/**
 * The renderer throws RefineError invalid_request when the template refuses the conversation.
 * @throws RefineError model_failed when there is no template or it cannot be parsed.
 */
export const readChatTemplate = (folder: string, config: TokenizerConfig): ChatTemplate => {
  let template: Template
  try {
    template = new Template(templateText(folder, config))
  } catch (cause) {
    if (cause instanceof RefineError) throw cause
    throw badModelFile(folder, `its chat template cannot be parsed: ${String(cause)}`, cause)
  }
  const tokens = { bos_token: contentOf(config.bos_token), eos_token: contentOf(config.eos_token) }
  return (messages) => {
    try {
      return template.render({ messages, add_generation_prompt: true, ...tokens })
    } catch (cause) {
      throw new RefineError(
        'invalid_request',
        `The model's chat template does not take these messages: ${String(cause)}`,
        { param: 'messages', cause },
      )
    }
  }
}
