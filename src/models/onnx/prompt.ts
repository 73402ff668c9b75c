/** Conversations and texts as tokens of one checkpoint, never more than its context holds. */
import { RefineError } from '../../core/errors.ts'
import type { Message } from '../../core/task.ts'
import type { ChatTemplate } from '../../inference/text/chat-template.ts'
import type { Tokenizer } from '../../inference/text/tokenizer.ts'
import type { Tool } from '../../core/tools.ts'
import type { CallFormat } from './call-format.ts'
import { plainMessages, templateTools, toolMessages } from './template-messages.ts'

export class PromptEncoder {
  readonly #id: string
  readonly #contextLength: number
  readonly #tokenizer: Tokenizer
  readonly #template: ChatTemplate
  readonly #calls: CallFormat | undefined

  /** @param calls how the template writes tool calls, if it does */
  constructor(
    id: string,
    contextLength: number,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    calls: CallFormat | undefined,
  ) {
    this.#id = id
    this.#contextLength = contextLength
    this.#tokenizer = tokenizer
    this.#template = template
    this.#calls = calls
  }

  /** Exact, but for a text that cannot fit the context: of that only the least number of tokens is told. */
  count(messages: readonly Message[], tools?: readonly Tool[]): number {
    const text = this.#render(messages, { tools })
    const least = Math.ceil(text.length / this.#tokenizer.longestToken)
    return least > this.#contextLength ? least : this.#tokenizer.encode(text).length
  }

  /** Encodes with pauses what `count` and `prompt` need of a conversation, so that they have it at hand. */
  prepare(messages: readonly Message[], tools?: readonly Tool[]): Promise<void> {
    return this.prepareText(this.#render(messages, { tools }))
  }

  /** As `prepare`, for `conversation`. */
  prepareConversation(messages: readonly Message[], answer: string): Promise<void> {
    return this.prepareText(this.#whole(messages, answer))
  }

  /** As `prepare`, for `tokens`. */
  async prepareText(text: string): Promise<void> {
    const least = Math.ceil(text.length / this.#tokenizer.longestToken)
    if (least <= this.#contextLength) await this.#tokenizer.prepare(text)
  }

  /** Up to where the assistant's answer begins, and its beginning: encoded apart, as generated tokens would follow. */
  prompt(messages: readonly Message[], answer = '', tools?: readonly Tool[]): Int32Array {
    const asked = this.tokens(this.#render(messages, { tools }))
    return Int32Array.from([...asked, ...this.further(answer)])
  }

  /** The conversation with the assistant's answer, and no more. */
  conversation(messages: readonly Message[], answer: string): Int32Array {
    return Int32Array.from(this.tokens(this.#whole(messages, answer)))
  }

  /** @throws RefineError context_length_exceeded before a hopeless text is encoded. */
  tokens(text: string): readonly number[] {
    this.checkLength(Math.ceil(text.length / this.#tokenizer.longestToken))
    return text === '' ? [] : this.#tokenizer.encode(text)
  }

  /** As `tokens`, of a text that stands behind others. */
  further(text: string): readonly number[] {
    this.checkLength(Math.ceil(text.length / this.#tokenizer.longestToken))
    return this.#tokenizer.encodeFurther(text)
  }

  tokenId(token: string): number | undefined {
    return this.#tokenizer.tokenId(token)
  }

  #whole(messages: readonly Message[], answer: string): string {
    const whole = [...messages, { role: 'assistant' as const, content: answer }]
    return this.#render(whole, { prompted: false })
  }

  #render(
    messages: readonly Message[],
    { prompted = true, tools }: { prompted?: boolean; tools?: readonly Tool[] | undefined },
  ): string {
    const calls = this.#calls
    const shown =
      calls === undefined ? plainMessages(messages) : toolMessages(messages, calls.parallel)
    return this.#template(shown, { prompted, tools: tools && templateTools(tools) })
  }

  /** @throws RefineError context_length_exceeded */
  checkLength(tokens: number): void {
    if (tokens <= this.#contextLength) return
    throw new RefineError(
      'context_length_exceeded',
      `${this.#id} takes ${this.#contextLength} tokens of prompt and answer together; at least ${tokens} are needed.`,
      { param: 'messages' },
    )
  }
}
