/**
 * Maps run events to the events of OpenAI's Responses protocol. A pure function of the log: a replay gives the same
 * events with the same numbers, so a stream may be taken up at any of them. The work is one reasoning item with a summary
 * part per revision; the answer is one message. No event is ours: an unknown type breaks OpenAI's own stream helper.
 */
import { isTerminal, type RunEvent } from '../../core/event.ts'
import type { ToolCall } from '../../core/tools.ts'
import { describeError, RefineError, toRefineError } from '../../core/errors.ts'
import {
  emptyMessage,
  endOf,
  textPart,
  toResponse,
  callItem,
  type ResponseEvent,
  type ResponseObject,
} from './openai-responses-object.ts'
import type {
  MessageEventTail,
  MessageItem,
  OutputItem,
  ReasoningItem,
  ResponseStatus,
  SummaryEventTail,
} from './openai-responses-reply.ts'
import { toldTokens, tokensOf } from './openai-chat-completion.ts'
import { echoOf, idFor } from './openai-responses-request.ts'
import type { Echo } from './openai-responses-schema.ts'
import { ReasoningText } from './reasoning-text.ts'
import { restOf, RunAccount } from './run-account.ts'

type Events = Generator<ResponseEvent, void, void>

export interface ResponseOptions {
  readonly direct: ReadonlySet<string>
  readonly instructions: string | null
}

export class ResponseEvents {
  readonly #options: ResponseOptions
  readonly #output: OutputItem[] = []
  #sequence = 0
  #created: Extract<RunEvent, { type: 'run.created' }> | undefined
  #echo: Echo = {}
  #account = new RunAccount('')
  #text = new ReasoningText('none')
  #status: ResponseStatus = 'queued'
  #endedAt: string | null = null
  #error: { code: string; message: string } | null = null
  #reasoning: ReasoningItem | undefined
  #isPartOpen = false
  #message: MessageItem | undefined

  constructor(options: ResponseOptions) {
    this.#options = options
  }

  /** The response so far. @throws RefineError shutting_down before the first event. */
  get response(): ResponseObject {
    if (this.#created === undefined) {
      throw new RefineError('shutting_down', 'The server is closing.')
    }
    return toResponse({
      created: this.#created,
      echo: this.#echo,
      instructions: this.#options.instructions,
      status: this.#status,
      output: this.#output,
      account: this.#account,
      endedAt: this.#endedAt,
      error: this.#error,
    })
  }

  get account(): RunAccount {
    return this.#account
  }

  get hasEnded(): boolean {
    return this.#endedAt !== null
  }

  *add(event: RunEvent): Events {
    if (event.type === 'run.created') return yield* this.#open(event)
    if (this.#status === 'queued') yield this.#progress('in_progress')
    this.#account.add(event)
    if (this.#options.direct.has(this.#account.strategy)) yield* this.#flow(event)
    else yield* this.#tell(this.#text.add(event))
    if (event.type === 'answer.revised') yield* this.#closePart()
    if (isTerminal(event)) yield* this.#finish(event.at)
  }

  /** What tells a reader that the events ended before the run did. */
  interrupted(thrown: unknown): ResponseEvent {
    const error = toRefineError(thrown)
    return this.#event('error', { ...describeError(error), param: error.param ?? null })
  }

  *#open(event: Extract<RunEvent, { type: 'run.created' }>): Events {
    this.#created = event
    this.#echo = echoOf(event.metadata)
    this.#account = new RunAccount(event.run_id, this.#echo.ignored)
    this.#account.add(event)
    this.#text = new ReasoningText(this.#echo.show ?? 'summary')
    const waits = this.#echo.background === true
    this.#status = waits ? 'queued' : 'in_progress'
    yield this.#event('response.created', { response: this.response })
    yield this.#progress(waits ? 'queued' : 'in_progress')
  }

  #progress(status: 'queued' | 'in_progress'): ResponseEvent {
    this.#status = status
    return this.#event(`response.${status}`, { response: this.response })
  }

  /** The only draft of a strategy without feedback is the answer. */
  *#flow(event: RunEvent): Events {
    if (event.type !== 'candidate.delta' || event.candidate !== 0) return
    yield* this.#say(event.text, toldTokens(event.logprobs ?? []))
  }

  *#tell(text: string): Events {
    const delta = this.#isPartOpen ? text : text.trimStart()
    if (delta === '') return
    const item = this.#reasoning ?? (yield* this.#openReasoning())
    if (!this.#isPartOpen) {
      this.#isPartOpen = true
      item.summary.push({ type: 'summary_text', text: '' })
      yield this.#inSummary('part.added', { part: { type: 'summary_text', text: '' } })
    }
    item.summary.at(-1)!.text += delta
    yield this.#inSummary('text.delta', { delta })
  }

  *#openReasoning(): Generator<ResponseEvent, ReasoningItem, void> {
    const id = idFor('rs', this.#created!.run_id)
    const item: ReasoningItem = { type: 'reasoning', id, status: 'in_progress', summary: [] }
    this.#reasoning = item
    yield this.#addItem(item)
    return item
  }

  *#closePart(): Events {
    if (!this.#isPartOpen) return
    const { text } = this.#reasoning!.summary.at(-1)!
    yield this.#inSummary('text.done', { text })
    yield this.#inSummary('part.done', { part: { type: 'summary_text', text } })
    this.#isPartOpen = false
  }

  *#say(delta: string, logprobs: ReturnType<typeof toldTokens>): Events {
    const { content } = this.#message ?? (yield* this.#openMessage())
    if (delta === '') return
    content[0]!.text += delta
    content[0]!.logprobs.push(...logprobs)
    yield this.#inMessage('output_text.delta', { delta, logprobs })
  }

  *#call(call: ToolCall, at: number): Events {
    const item = callItem(call, `${idFor('fc', this.#created!.run_id)}_${at}`)
    yield this.#addItem({ ...item, arguments: '', status: 'in_progress' })
    this.#output.splice(-1, 1, item)
    const { id: item_id, name, arguments: given } = item
    const position = { item_id, output_index: this.#output.length - 1 }
    const type = 'response.function_call_arguments'
    yield this.#event(`${type}.delta`, { ...position, delta: given })
    yield this.#event(`${type}.done`, { ...position, name, arguments: given })
    yield this.#itemDone(item)
  }

  *#openMessage(): Generator<ResponseEvent, MessageItem, void> {
    const item = emptyMessage(idFor('msg', this.#created!.run_id))
    this.#message = item
    yield this.#addItem(item, { content: [] })
    yield this.#inMessage('content_part.added', { part: textPart('') })
    return item
  }

  *#closeMessage(status: 'completed' | 'incomplete'): Events {
    const item = this.#message
    if (item === undefined) return
    const part = item.content[0]!
    part.logprobs = tokensOf(this.#account) ?? []
    yield this.#inMessage('output_text.done', { text: part.text, logprobs: part.logprobs })
    yield this.#inMessage('content_part.done', { part: { ...part } })
    item.status = status
    yield this.#itemDone(item)
  }

  *#finish(at: string): Events {
    yield* this.#closePart()
    if (this.#reasoning !== undefined) {
      this.#reasoning.status = 'completed'
      yield this.#itemDone(this.#reasoning)
    }
    const { status, error, text: answer } = endOf(this.#account)
    this.#status = status
    this.#error = error
    const { toolCalls } = this.#account
    // Calls without a word beside them are no message.
    if (answer !== undefined && (answer !== '' || toolCalls.length === 0)) {
      const { text: said, logprobs: told } = this.#message?.content[0] ?? textPart('')
      yield* this.#say(restOf(answer, said), tokensOf(this.#account)?.slice(told.length) ?? [])
    }
    yield* this.#closeMessage(this.#status === 'completed' ? 'completed' : 'incomplete')
    for (const [at, call] of toolCalls.entries()) yield* this.#call(call, at)
    this.#endedAt = at
    // There is no event for a cancelled response: it is one that is incomplete, and its status says why.
    const last = this.#status === 'cancelled' ? 'incomplete' : this.#status
    yield this.#event(`response.${last}`, { response: this.response })
  }

  #addItem(item: OutputItem, overrides: object = {}): ResponseEvent {
    const output_index = this.#output.push(item) - 1
    const copy = { ...structuredClone(item), ...overrides }
    return this.#event('response.output_item.added', { output_index, item: copy })
  }

  #itemDone(item: OutputItem): ResponseEvent {
    const output_index = this.#output.indexOf(item)
    return this.#event('response.output_item.done', { output_index, item: structuredClone(item) })
  }

  #inSummary(type: SummaryEventTail, fields: object): ResponseEvent {
    const item = this.#reasoning!
    return this.#event(`response.reasoning_summary_${type}`, {
      item_id: item.id,
      output_index: this.#output.indexOf(item),
      summary_index: item.summary.length - 1,
      ...fields,
    })
  }

  #inMessage(type: MessageEventTail, fields: object): ResponseEvent {
    const item = this.#message!
    return this.#event(`response.${type}`, {
      item_id: item.id,
      output_index: this.#output.indexOf(item),
      content_index: 0,
      ...fields,
    })
  }

  #event(type: ResponseEvent['type'], fields: object): ResponseEvent {
    return { type, sequence_number: this.#sequence++, ...fields }
  }
}
