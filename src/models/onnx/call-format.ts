/** How models of a family write tool calls, and which of these ways a checkpoint's chat template was made for. */
import type { Constraint } from '../../core/language-model.ts'
import type { Tool, ToolChoice } from '../../core/tools.ts'
import type { Grammar, Opening } from '../../inference/constraint/grammar.ts'
import type { ChatTemplate, TemplateMessage } from '../../inference/text/chat-template.ts'
import { templateTools } from './template-messages.ts'

export interface CallFormat {
  /** Begins calls wherever it stands; undefined where an answer with a call is nothing but the call. */
  readonly marker: string | undefined
  /** Ends a call, where one may stand in the middle of a text; undefined where calls go on to the end. */
  readonly endMarker: string | undefined
  /** Texts around all calls and between two of them. */
  readonly before: string
  readonly between: string
  readonly after: string
  /** May stand before a call and means nothing. */
  readonly prelude: string
  /** Name of the member with the arguments. */
  readonly argumentsKey: 'arguments' | 'parameters'
  /** Whether one answer may hold several calls. */
  readonly parallel: boolean
}

/** Qwen 2.5 and 3, Hermes: a block for each call; text may stand before them. */
const HERMES: CallFormat = {
  marker: '<tool_call>',
  endMarker: '</tool_call>',
  before: '<tool_call>\n',
  between: '\n</tool_call>\n<tool_call>\n',
  after: '\n</tool_call>',
  prelude: '',
  argumentsKey: 'arguments',
  parallel: true,
}

/** Mistral, from its third tokenizer on: one list, to the end. */
const mistral = (space: string): CallFormat => ({
  marker: '[TOOL_CALLS]',
  endMarker: undefined,
  before: `[TOOL_CALLS]${space}[`,
  between: ', ',
  after: ']',
  prelude: '',
  argumentsKey: 'arguments',
  parallel: true,
})

/** Llama 3.1 and later: the whole answer is one call. */
const LLAMA: CallFormat = {
  marker: undefined,
  endMarker: undefined,
  before: '',
  between: '',
  after: '',
  prelude: '<|python_tag|>',
  argumentsKey: 'parameters',
  parallel: false,
}

/** Texts of which a tokenizer may have made special tokens, which stand for no text unless it is said. */
export const spokenTokens = ({ marker, endMarker, prelude }: CallFormat): string[] =>
  [marker, endMarker, prelude].flatMap((text) => text || [])

const DECLARED = 'probe_declared'
const CALLED = 'probe_called'
const QUESTION: TemplateMessage = { role: 'user', content: 'probe' }
const CONVERSATION: readonly TemplateMessage[] = [
  QUESTION,
  {
    role: 'assistant',
    content: '',
    tool_calls: [
      {
        id: 'probe0001',
        type: 'function',
        function: { name: CALLED, arguments: { probe: 1 } },
      },
    ],
  },
  { role: 'tool', content: 'probe', tool_call_id: 'probe0001', name: CALLED },
]

/** The format that a template writes calls in; undefined for one that knows nothing of tools, or another way of calling them. */
export const findCallFormat = (render: ChatTemplate): CallFormat | undefined => {
  const tools = templateTools([{ type: 'function', function: { name: DECLARED } }])
  try {
    if (!render([QUESTION], { tools }).includes(DECLARED)) return undefined
    const text = render(CONVERSATION, { tools })
    const solid = text.replaceAll(/\s/g, '')
    const call = (key: string): string => `{"name":"${CALLED}","${key}":{"probe":1}`
    if (solid.includes(`<tool_call>${call('arguments')}}</tool_call>`)) return HERMES
    if (solid.includes(`[TOOL_CALLS][${call('arguments')}`))
      return mistral(/\[TOOL_CALLS\](\s*)\[/.exec(text)![1]!)
    return solid.includes(`${call('parameters')}}`) ? LLAMA : undefined
  } catch {
    return undefined // it refuses such conversations
  }
}

/** What may be called, and how many times. */
export interface CallWish {
  readonly tools: readonly Tool[]
  readonly choice: ToolChoice
  readonly parallel: boolean
}

const ANY_OBJECT = { type: 'object' }

const callGrammar = (
  { argumentsKey }: CallFormat,
  { function: { name, parameters, strict } }: Tool,
  index: number,
): Grammar => {
  const pointer = `/tools/${index}/function/parameters`
  const schema = parameters === undefined ? ANY_OBJECT : { type: 'object', ...parameters }
  return {
    type: 'sequence',
    parts: [
      { type: 'text', text: `{"name": ${JSON.stringify(name)}, "${argumentsKey}": ` },
      { type: 'json', schema, pointer, loose: strict !== true },
      { type: 'text', text: '}' },
    ],
  }
}

const callsGrammar = (format: CallFormat, { tools, choice, parallel }: CallWish): Grammar => {
  const wanted = typeof choice === 'object' ? choice.function.name : undefined
  const calls = tools.flatMap((tool, index) =>
    wanted === undefined || tool.function.name === wanted ? callGrammar(format, tool, index) : [],
  )
  const call: Grammar = { type: 'one_of', options: calls }
  const { before, between, after, prelude } = format
  const several = format.parallel && parallel && wanted === undefined
  const preludes = [...new Set(['', prelude])].map((text) => ({ type: 'text' as const, text }))
  return {
    type: 'sequence',
    parts: [
      { type: 'one_of', options: preludes },
      { type: 'text', text: before },
      several ? { type: 'list', item: call, between } : call,
      { type: 'text', text: after },
    ],
  }
}

const openingsOf = ({ marker, prelude }: CallFormat, tools: readonly Tool[]): Opening[] => {
  if (marker !== undefined) return [{ text: marker, atStart: false }]
  const starts = tools.map(({ function: { name } }) => `{"name": ${JSON.stringify(name)}`)
  return [`${prelude}{`, ...starts].map((text) => ({ text, atStart: true }))
}

/**
 * What a sample is held to. Where it may call or not, it is free up to the beginning of a call; where its text has to
 * have a form besides, it has that form or calls.
 */
export const holdToCalls = (
  format: CallFormat,
  wish: CallWish,
  constraint: Constraint | undefined,
): { readonly constraint: Grammar; readonly openings?: readonly Opening[] } => {
  const calls = callsGrammar(format, wish)
  if (wish.choice !== 'auto') return { constraint: calls }
  if (constraint !== undefined)
    return { constraint: { type: 'one_of', options: [constraint, calls] } }
  return { constraint: calls, openings: openingsOf(format, wish.tools) }
}
