/** Counts tokens without the upstream's tokenizer. */
import type { Message } from '../../core/task.ts'

const BYTES_PER_TOKEN = 3
const TOKENS_PER_MESSAGE = 4
const TOKENS_PER_PROMPT = 3

/** An overestimate: no tokenizer in use needs more than a token for three bytes of ordinary text. */
export const countTokens = (messages: readonly Message[]): number =>
  messages.reduce(
    (sum, { content }) =>
      sum + Math.ceil(Buffer.byteLength(content) / BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE,
    TOKENS_PER_PROMPT,
  )
