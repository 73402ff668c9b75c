/**
 * Maps run events to an Anthropic message: a thinking block per revision, then the answer as text. Pure. Only events
 * that Anthropic has are sent: a foreign one is an error to clients that validate what they read.
 */
import { isTerminal, type FinishReason, type RunEvent } from '../../core/event.ts'
import { parseJson, type ToolCall } from '../../core/tools.ts'
import { idFor } from './openai-responses-request.ts'
import { ReasoningText, type ShowMode } from './reasoning-text.ts'
import { restOf, RunAccount } from './run-account.ts'

export interface MessageOptions {
  readonly runId: string
  /** As the request named it. */
  readonly model: string
  readonly show: ShowMode
  readonly direct: ReadonlySet<string>
  readonly ignored: readonly string[]
  /** The caller's: strategies have others of their own, which are no business of the caller's. */
  readonly stops: readonly string[]
}

/** Clients send thinking back only with a signature; ours says nothing and is not checked. */
const SIGNATURE = 'whetstone'

const STOP_REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  content_filter: 'refusal',
  tool_calls: 'tool_use',
  other: 'end_turn',
}

type Block =
  | { readonly type: 'thinking'; thinking: string; signature: string }
  | { readonly type: 'text'; text: string }
  | {
      readonly type: 'tool_use'
      readonly id: string
      readonly name: string
      readonly input: unknown
    }

export interface MessageEvent {
  readonly type: string
  readonly [field: string]: unknown
}
type Events = Generator<MessageEvent, void, void>

const emptyBlock = (type: 'thinking' | 'text'): Block =>
  type === 'text' ? { type, text: '' } : { type, thinking: '', signature: '' }

export class MessageEvents {
  readonly #options: MessageOptions
  readonly #account: RunAccount
  readonly #text: ReasoningText
  readonly #content: Block[] = []
  #isOpen = false

  constructor(options: MessageOptions) {
    this.#options = options
    this.#account = new RunAccount(options.runId, options.ignored)
    this.#text = new ReasoningText(options.show)
  }

  get account(): RunAccount {
    return this.#account
  }

  /** The whole message. @throws RefineError of a run that ended without an answer. */
  get message() {
    void this.#account.text
    return { ...this.#envelope(), ...this.#ending() }
  }

  /** @throws RefineError of a run that ended without an answer. */
  *add(event: RunEvent): Events {
    this.#account.add(event)
    if (event.type === 'run.created') {
      yield { type: 'message_start', message: { ...this.#envelope(), stop_reason: null } }
      yield { type: 'ping' }
    }
    if (this.#options.direct.has(this.#account.strategy)) yield* this.#flow(event)
    else yield* this.#think(this.#text.add(event))
    if (event.type === 'answer.revised') yield* this.#close('thinking')
    if (isTerminal(event)) yield* this.#finish()
  }

  *#flow(event: RunEvent): Events {
    if (event.type === 'candidate.delta' && event.candidate === 0) yield* this.#say(event.text)
  }

  *#think(text: string): Events {
    const thinking = this.#isOpen ? text : text.trimStart()
    if (thinking === '') return
    const block = yield* this.#open('thinking')
    if (block.type === 'thinking') block.thinking += thinking
    yield this.#delta({ type: 'thinking_delta', thinking })
  }

  *#say(text: string): Events {
    const block = yield* this.#open('text')
    if (text === '') return
    if (block.type === 'text') block.text += text
    yield this.#delta({ type: 'text_delta', text })
  }

  *#finish(): Events {
    yield* this.#close('thinking')
    const last = this.#content.at(-1)
    const sent = last?.type === 'text' ? last.text : ''
    const { text, toolCalls } = this.#account
    // Calls without a word beside them have no text block.
    if (text !== '' || toolCalls.length === 0) yield* this.#say(restOf(text, sent))
    yield* this.#close('text')
    for (const call of toolCalls) yield* this.#call(call)
    const { usage, refine, ...delta } = this.#ending()
    yield { type: 'message_delta', delta, usage, refine }
    yield { type: 'message_stop' }
  }

  *#call({ id, function: { name, arguments: given } }: ToolCall): Events {
    const block = { type: 'tool_use' as const, id, name }
    const index = this.#content.push({ ...block, input: parseJson(given)?.value ?? {} }) - 1
    yield { type: 'content_block_start', index, content_block: { ...block, input: {} } }
    yield this.#delta({ type: 'input_json_delta', partial_json: given })
    yield { type: 'content_block_stop', index }
  }

  *#open(type: 'thinking' | 'text'): Generator<MessageEvent, Block, void> {
    const last = this.#content.at(-1)
    if (this.#isOpen && last?.type === type) return last
    const block = emptyBlock(type)
    this.#content.push(block)
    this.#isOpen = true
    const index = this.#content.length - 1
    yield { type: 'content_block_start', index, content_block: { ...block } }
    return block
  }

  *#close(type: Block['type']): Events {
    const block = this.#content.at(-1)
    if (!this.#isOpen || block?.type !== type) return
    if (block.type === 'thinking') {
      block.signature = SIGNATURE
      yield this.#delta({ type: 'signature_delta', signature: SIGNATURE })
    }
    this.#isOpen = false
    yield { type: 'content_block_stop', index: this.#content.length - 1 }
  }

  #delta(delta: object): MessageEvent {
    return { type: 'content_block_delta', index: this.#content.length - 1, delta }
  }

  #envelope() {
    const { runId, model } = this.#options
    return {
      id: idFor('msg', runId),
      type: 'message',
      role: 'assistant',
      model: model || this.#account.model,
      content: structuredClone(this.#content),
      stop_sequence: null,
      usage: this.#usage(),
    }
  }

  #ending() {
    const { finishReason, stopString } = this.#account
    const met = this.#options.stops.find((stop) => stop === stopString)
    const isMet = finishReason === 'stop' && met !== undefined
    return {
      stop_reason: isMet ? 'stop_sequence' : STOP_REASONS[finishReason],
      stop_sequence: isMet ? met : null,
      usage: this.#usage(),
      refine: this.#account.refine,
    }
  }

  /** Here cached tokens are not part of the input's. */
  #usage() {
    const { input, output, cached } = this.#account.tokens
    return {
      input_tokens: Math.max(0, input - cached),
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: cached,
      output_tokens: output,
    }
  }
}
