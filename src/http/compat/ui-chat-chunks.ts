/**
 * Maps run events to chunks of the AI SDK's UI message stream, the only protocol in which what was shown may be replaced:
 * `data-run` and one `data-revision` for each revision keep their ids and are sent again whenever they change;
 * `data-status` is shown once and not kept. Pure, so a reader that comes back gets the same chunks.
 */
import { isTerminal, type FinishReason, type RunEvent } from '../../core/event.ts'
import { toRefineError } from '../../core/errors.ts'
import { parseJson, type ToolCall } from '../../core/tools.ts'
import { idFor } from './openai-responses-request.ts'
import { ReasoningText, type ShowMode } from './reasoning-text.ts'
import { restOf, RunAccount } from './run-account.ts'

export interface UiChunk {
  readonly type: string
  readonly [field: string]: unknown
}
type Chunks = Generator<UiChunk, void, void>
type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

const FINISH: Readonly<Record<FinishReason, string>> = {
  stop: 'stop',
  length: 'length',
  content_filter: 'content-filter',
  tool_calls: 'tool-calls',
  other: 'other',
}

interface Judgement {
  readonly scores: { scorer: string; score: number | null }[]
  readonly critiques: string[]
}

interface RevisionData extends Judgement {
  readonly revision: number
  readonly candidate: number
  readonly text: string
  readonly reason: string
  readonly score: number | null
  /** Whether it is the answer as it stands. */
  readonly current: boolean
}

export class UiChunks {
  readonly #show: ShowMode
  readonly #direct: ReadonlySet<string>
  readonly #status = new ReasoningText('status')
  readonly #reasoning: ReasoningText
  readonly #judgements = new Map<number, Judgement>()
  #account = new RunAccount('')
  #revision: RevisionData | undefined
  #reasoningParts = 0
  #isReasoning = false
  #said: string | undefined

  /** `status` shows states and revisions, `summary` and `full` also the work as reasoning, `none` the answer alone. */
  constructor(show: ShowMode, direct: ReadonlySet<string>) {
    this.#show = show
    this.#direct = direct
    this.#reasoning = new ReasoningText(show === 'status' ? 'none' : show)
  }

  *add(event: RunEvent): Chunks {
    if (event.type === 'run.created') yield* this.#start(event)
    this.#account.add(event)
    if (event.type === 'run.created') yield this.#run()
    if (this.#direct.has(this.#account.strategy)) yield* this.#flow(event)
    else if (this.#show !== 'none') yield* this.#tell(event)
    if (isTerminal(event)) yield* this.#finish()
  }

  /** @throws RefineError shutting_down when the events ended before the run did: the server is closing. */
  close(): void {
    void this.#account.ended
  }

  *#start({ run_id }: EventOf<'run.created'>): Chunks {
    this.#account = new RunAccount(run_id)
    yield { type: 'start', messageId: idFor('msg', run_id), messageMetadata: { run_id } }
    yield { type: 'start-step' }
  }

  #run(): UiChunk {
    const { refine, model, spent } = this.#account
    return { type: 'data-run', id: 'run', data: { ...refine, model, usage: spent } }
  }

  *#tell(event: RunEvent): Chunks {
    yield* this.#reason(this.#reasoning.add(event))
    const status = this.#status.add(event).trim().replace(/^#+ /, '')
    if (status !== '') yield { type: 'data-status', transient: true, data: { text: status } }
    yield* this.#judge(event)
    if (event.type === 'answer.revised') {
      yield* this.#endReasoning()
      yield* this.#revise(event)
    }
  }

  *#revise({ revision, candidate, text, reason, score }: EventOf<'answer.revised'>): Chunks {
    if (this.#revision !== undefined) yield this.#part({ ...this.#revision, current: false })
    const judgement = this.#judgementOf(candidate)
    const fields = { revision, candidate, text, reason, score }
    yield this.#part({ ...fields, ...judgement, current: true })
  }

  /** Scores and critiques of the answer as it stands change its part. */
  *#judge(event: RunEvent): Chunks {
    if (event.type === 'candidate.scored') {
      const { scorer, score } = event
      this.#judgementOf(event.candidate).scores.push({ scorer, score })
    } else if (event.type === 'critique.completed') {
      this.#judgementOf(event.candidate).critiques.push(event.text)
    } else return
    if (this.#revision?.candidate === event.candidate) yield this.#part(this.#revision)
  }

  #judgementOf(candidate: number): Judgement {
    const known = this.#judgements.get(candidate) ?? { scores: [], critiques: [] }
    this.#judgements.set(candidate, known)
    return known
  }

  #part(data: RevisionData): UiChunk {
    if (data.current) this.#revision = data
    return { type: 'data-revision', id: `revision-${data.revision}`, data: structuredClone(data) }
  }

  *#reason(text: string): Chunks {
    const delta = this.#isReasoning ? text : text.trimStart()
    if (delta === '') return
    if (!this.#isReasoning) {
      this.#isReasoning = true
      this.#reasoningParts++
      yield { type: 'reasoning-start', id: `reasoning-${this.#reasoningParts}` }
    }
    yield { type: 'reasoning-delta', id: `reasoning-${this.#reasoningParts}`, delta }
  }

  *#endReasoning(): Chunks {
    if (!this.#isReasoning) return
    this.#isReasoning = false
    yield { type: 'reasoning-end', id: `reasoning-${this.#reasoningParts}` }
  }

  /** The only draft of a strategy without feedback is the answer. */
  *#flow(event: RunEvent): Chunks {
    if (event.type === 'candidate.delta' && event.candidate === 0) yield* this.#say(event.text)
  }

  *#say(delta: string): Chunks {
    if (this.#said === undefined) yield { type: 'text-start', id: 'answer' }
    this.#said = (this.#said ?? '') + delta
    if (delta !== '') yield { type: 'text-delta', id: 'answer', delta }
  }

  *#finish(): Chunks {
    yield* this.#endReasoning()
    yield this.#run()
    const failure = yield* this.#answer()
    if (this.#said !== undefined) yield { type: 'text-end', id: 'answer' }
    if (failure !== undefined) yield { type: 'error', errorText: failure }
    yield { type: 'finish-step' }
    if (this.#account.status === 'cancelled') yield { type: 'abort', reason: 'cancelled' }
    else if (failure !== undefined) yield { type: 'finish', finishReason: 'error' }
    else yield { type: 'finish', finishReason: FINISH[this.#account.finishReason] }
  }

  /** Says the answer; returns why there is none, unless the run was cancelled, which is nobody's failure. */
  *#answer(): Generator<UiChunk, string | undefined, void> {
    let text: string
    try {
      text = this.#account.text
    } catch (thrown) {
      return this.#account.status === 'cancelled' ? undefined : toRefineError(thrown).message
    }
    const { toolCalls } = this.#account
    if (text !== '' || toolCalls.length === 0) yield* this.#say(restOf(text, this.#said ?? ''))
    for (const call of toolCalls) yield* this.#call(call)
    return undefined
  }

  /** The page calls its tools itself, and sends the results with the next request. */
  *#call({ id: toolCallId, function: { name: toolName, arguments: given } }: ToolCall): Chunks {
    const parsed = parseJson(given)
    yield { type: 'tool-input-start', toolCallId, toolName }
    yield { type: 'tool-input-delta', toolCallId, inputTextDelta: given }
    if (parsed !== undefined) {
      yield { type: 'tool-input-available', toolCallId, toolName, input: parsed.value }
      return
    }
    const errorText = 'The arguments are not JSON.'
    yield { type: 'tool-input-error', toolCallId, toolName, input: given, errorText }
  }
}
