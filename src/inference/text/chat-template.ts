/** Renders a conversation as the model was trained to see it, by the Jinja template of its checkpoint. */
import { Template } from '@huggingface/jinja'
import { RefineError } from '../../core/errors.ts'
import type { Message } from '../../core/task.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { badModelFile } from '../checkpoint/tensor-source.ts'
import type { TokenizerConfig } from '../checkpoint/tokenizer-file.ts'

const templateText = (path: string, { chat_template: template }: TokenizerConfig): string => {
  const text =
    typeof template === 'string'
      ? template
      : template?.find(({ name }) => name === 'default')?.template
  if (text === undefined)
    throw badModelFile(
      path,
      'expected a chat template: in tokenizer_config.json, chat_template.jinja, or the metadata',
    )
  return text
}

const contentOf = (token: TokenizerConfig['bos_token']): string =>
  typeof token === 'string' ? token : (token?.content ?? '')

/** The conversation up to the point where the assistant's answer begins; without `prompted` just up to its last message. */
export type ChatTemplate = (messages: readonly Message[], prompted?: boolean) => string

/**
 * The renderer throws RefineError invalid_request when the template refuses the conversation.
 * @throws RefineError model_failed when there is no template or it cannot be parsed.
 */
export const readChatTemplate = (checkpoint: Checkpoint): ChatTemplate => {
  const config = checkpoint.tokenizerConfig()
  const text = templateText(checkpoint.path, config)
  let template: Template
  try {
    template = new Template(text)
  } catch (cause) {
    throw badModelFile(
      checkpoint.path,
      `its chat template cannot be parsed: ${String(cause)}`,
      cause,
    )
  }
  const tokens = { bos_token: contentOf(config.bos_token), eos_token: contentOf(config.eos_token) }
  return (messages, prompted = true) => {
    try {
      return template.render({ messages, add_generation_prompt: prompted, ...tokens })
    } catch (cause) {
      throw new RefineError(
        'invalid_request',
        `The model's chat template does not take these messages: ${String(cause)}`,
        { param: 'messages', cause },
      )
    }
  }
}
