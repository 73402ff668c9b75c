/** How requests of foreign protocols choose model, strategy, budget and experiment, and how they are told what is missing. */
import type { IncomingHttpHeaders } from 'node:http'
import { Type, type Static, type TSchema } from 'typebox'
import { invalidField, RefineError } from '../../core/errors.ts'
import { validate } from '../../core/validation.ts'
import { RunRequest } from '../../runs/run-request.ts'
import { checkDepth } from '../json-text.ts'
import { SHOW_MODES } from './reasoning-text.ts'

const {
  strategy,
  options,
  models,
  budget,
  experiment,
  deadline_seconds,
  grace_seconds,
  on_disconnect,
} = RunRequest.properties

export const Refine = Type.Object(
  {
    strategy,
    options,
    models,
    budget,
    experiment,
    deadline_seconds,
    grace_seconds,
    on_disconnect,
    show: Type.Optional(
      Type.Enum([...SHOW_MODES], {
        description:
          'How much of the work is told as reasoning: `status` says what happens, `summary` (if absent) also gives ' +
          'critiques and revisions, `full` also every draft as it is written.',
      }),
    ),
  },
  { additionalProperties: false, $id: 'Refine' },
)
export type Refine = Static<typeof Refine>

export const REASONING_EFFORTS = [
  'none',
  'minimal',
  'low',
  'medium',
  'high',
  'xhigh',
  'max',
] as const
export type ReasoningEffort = (typeof REASONING_EFFORTS)[number]

export const EFFORT_DESCRIPTION =
  'How hard to try. `none` and `minimal` answer once (strategy `single`) if no strategy is named; `low` allows 4 ' +
  'model calls, `medium` 16, `high` 64, `xhigh` 256, `max` any number. `refine.budget` goes before it.'

export const ModelName = Type.String({
  minLength: 1,
  maxLength: 512,
  description: 'A model, `model:strategy`, or `experiment:key`; the default model if absent.',
})

const EXPERIMENT = 'experiment:'

type Choice = Pick<RunRequest, 'model' | 'strategy' | 'experiment'>

/** What a model's name stands for. Names of models may hold colons themselves, so a known one is taken as it is. */
const namedBy = (name: string | undefined, known: ReadonlySet<string>): Choice => {
  if (name === undefined) return {}
  if (known.has(name)) return { model: name }
  if (name.startsWith(EXPERIMENT)) return { experiment: { key: name.slice(EXPERIMENT.length) } }
  const colon = name.lastIndexOf(':')
  return colon > 0 && known.has(name.slice(0, colon))
    ? { model: name.slice(0, colon), strategy: name.slice(colon + 1) }
    : { model: name }
}

const CALLS = { low: 4, medium: 16, high: 64, xhigh: 256 } as const

const allowedBy = (
  effort: ReasoningEffort | undefined,
): Pick<RunRequest, 'strategy' | 'budget'> => {
  if (effort === undefined || effort === 'max') return {}
  if (effort === 'none' || effort === 'minimal') return { strategy: 'single' }
  return { budget: { calls: CALLS[effort] } }
}

export interface Wishes {
  /** As the request names it. */
  readonly model: string | undefined
  readonly refine: Refine | undefined
  readonly effort?: ReasoningEffort | undefined
  /** The unit of an experiment that names none. */
  readonly unit?: string | undefined
}

/** The part of a run request that says how the answer is made; `known` are the ids of the models. */
export const chooseRun = (
  { model, refine, effort, unit: given }: Wishes,
  known: ReadonlySet<string>,
): Omit<RunRequest, 'input' | 'messages' | 'sampling'> => {
  const { show: _, experiment: asked, ...rest } = refine ?? {}
  const choice = namedBy(model, known)
  const test = asked ?? choice.experiment
  const unit = test?.unit ?? given
  return {
    ...allowedBy(effort),
    ...choice,
    ...rest,
    ...(test === undefined ? {} : { experiment: unit === undefined ? test : { ...test, unit } }),
  }
}

const HEADERS = ['strategy', 'show', 'options', 'budget'] as const

/**
 * The `refine` of a body, with what the headers `x-refine-strategy`, `-show`, `-options` and `-budget` (the last two
 * hold JSON) say where the body says nothing: for clients that can set headers and no fields.
 * @throws RefineError invalid_request, naming the header.
 */
export const withHeaders = (
  refine: Refine | undefined,
  headers: IncomingHttpHeaders,
): Refine | undefined => {
  const told = HEADERS.flatMap((name) => {
    const text = headers[`x-refine-${name}`]
    if (typeof text !== 'string' || refine?.[name] !== undefined) return []
    return [[name, readHeader(name, text)] as const]
  })
  if (told.length === 0) return refine
  return { ...refine, ...(Object.fromEntries(told) as Refine) }
}

/** The body of a request, with what its headers say where it says nothing. @throws RefineError as `withHeaders` */
export const bodyWithHeaders = <Body extends { refine?: Refine }>(
  body: Body,
  headers: IncomingHttpHeaders,
): Body => {
  const refine = withHeaders(body.refine, headers)
  return refine === undefined ? body : { ...body, refine }
}

const readHeader = (name: (typeof HEADERS)[number], text: string): unknown => {
  const pointer = `/x-refine-${name}`
  const schema: TSchema = Refine.properties[name]
  if (name === 'strategy' || name === 'show') return validate(schema, text, pointer)
  checkDepth(text, pointer)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalidField(pointer, 'must be JSON')
  }
  return validate(schema, value, pointer)
}

export const unsupported = (pointer: string, message: string): RefineError =>
  new RefineError('unsupported_capability', `${pointer}: ${message}`, {
    fields: [{ pointer, message }],
  })

/** @throws RefineError invalid_request when the field is absent. */
export const required = <Value>(value: Value | undefined, pointer: string): Value => {
  if (value === undefined) throw invalidField(pointer, 'is required')
  return value
}

/** Whether a field asks for nothing. */
export const isAbsent = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  (Array.isArray(value) && value.length === 0)

const REASONING = /<(think|thinking|reason|reasoning|thought)>|<details type="reasoning"[^<>]*>/g

/**
 * Without the reasoning that a user interface put into an earlier answer and sends back with it: it is not part of the
 * answer. Takes time linear in the text, however many blocks begin and never end.
 */
export const withoutReasoning = (text: string): string => {
  const endless = new Set<string>()
  let kept = ''
  let from = 0
  for (const { index, 1: name = 'details' } of text.matchAll(REASONING)) {
    const closing = `</${name}>`
    if (index < from || endless.has(closing)) continue
    const end = text.indexOf(closing, index)
    if (end < 0) endless.add(closing)
    else {
      kept += text.slice(from, index)
      from = end + closing.length
      while (/\s/.test(text.charAt(from))) from++
    }
  }
  return kept + text.slice(from)
}

export const toolResult = (text: string, name: string | undefined): string =>
  `${name === undefined ? 'Result of a tool' : `Result of tool call ${name}`}:\n${text}`

/** Fields taken and left alone: named in the answer's `refine.ignored`. */
export const anyFields = <Name extends string>(names: readonly Name[]) => {
  const field = Type.Optional(Type.Unknown())
  return Object.fromEntries(names.map((name) => [name, field])) as Record<Name, typeof field>
}

export const presentFields = <Name extends string>(
  body: { readonly [Key in Name]?: unknown },
  names: readonly Name[],
): Name[] => names.filter((name) => body[name] !== undefined)
