/** Counts tokens without the upstream's tokenizer. */
import { imagesOf, messageText } from '../../core/conversation.ts'
import type { Message } from '../../core/task.ts'
import type { Tool } from '../../core/tools.ts'

const BYTES_PER_TOKEN = 3
const TOKENS_PER_MESSAGE = 4
const TOKENS_PER_PROMPT = 3
/** A large one at full detail, as hosted models count it. */
const TOKENS_PER_IMAGE = 1600

/** An overestimate: no tokenizer in use needs more than a token for three bytes of ordinary text. */
export const countTokens = (messages: readonly Message[], tools: readonly Tool[] = []): number => {
  const texts = [...messages.map(messageText), ...tools.map((tool) => JSON.stringify(tool))]
  return texts.reduce(
    (sum, text) => sum + Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE,
    TOKENS_PER_PROMPT + imagesOf(messages).length * TOKENS_PER_IMAGE,
  )
}
