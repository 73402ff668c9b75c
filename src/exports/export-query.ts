/** What may be asked of an export: which records, of which runs. Wire data, hence snake_case. */
import { Type, type Static } from 'typebox'
import { invalidField } from '../core/errors.ts'
import { AUTOMATIC, AUTOMATIC_NAMES } from '../experiments/automatic-metrics.ts'

export const EXPORT_FORMATS = ['sft', 'preferences', 'steps', 'revisions', 'trees', 'runs'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

const Name = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 256, description }))
const Time = (description: string) =>
  Type.Optional(Type.String({ format: 'date-time', description }))

export const ExportQuery = Type.Object(
  {
    format: Type.Enum([...EXPORT_FORMATS], {
      description:
        '`sft`: prompts with their final answers, but for declined and filtered ones. `preferences`: pairs of a better and a worse text. `steps`: texts with ' +
        'a label for each step. `revisions`: how an answer changed. `trees`: all candidates with their ancestry. `runs`: ' +
        'everything that is kept.',
    }),
    after: Type.Optional(
      Type.String({
        maxLength: 160,
        description: '`cursor` of the last record that arrived: goes on behind it.',
      }),
    ),
    from: Time('Only runs made at this time or later.'),
    to: Time('Only runs made before this time.'),
    strategy: Name('Only runs of this strategy.'),
    model: Name('Only runs of this model.'),
    experiment: Name('Only runs that took part in this experiment.'),
    arm: Name('Only runs that got this arm.'),
    where: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
        maxItems: 16,
        description:
          'Only runs whose metric compares so, such as `correct=1` or `auto.cost<0.01`: feedback, where true is 1, or an ' +
          'automatic metric. All must hold; a run without the metric is left out.',
      }),
    ),
    minimum_margin: Type.Optional(
      Type.Number({
        minimum: 0,
        description:
          'Only preferences with a margin at least this wide; those without are left out.',
      }),
    ),
    consented_only: Type.Optional(
      Type.Boolean({ description: 'Only runs whose use for training was agreed to.' }),
    ),
    without_prompts: Type.Optional(
      Type.Boolean({ description: 'Leaves out what was asked; its hash stays.' }),
    ),
  },
  { additionalProperties: false },
)
export type ExportQuery = Static<typeof ExportQuery>

export interface Condition {
  readonly metric: string
  readonly holds: (value: number) => boolean
}

const COMPARISONS: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '=': (value, bound) => value === bound,
  '>': (value, bound) => value > bound,
  '<': (value, bound) => value < bound,
  '>=': (value, bound) => value >= bound,
  '<=': (value, bound) => value <= bound,
}

const readConditions = ({ where = [] }: ExportQuery): Condition[] =>
  where.map((text, index) => {
    const pointer = `/where/${index}`
    const parts = /^(.*?\S)\s*(>=|<=|=|>|<)\s*([^<>=\s]+)\s*$/su.exec(text.trimStart())
    const bound = { true: 1, false: 0 }[parts?.[3] ?? ''] ?? Number(parts?.[3])
    if (parts === null || !Number.isFinite(bound)) {
      throw invalidField(pointer, `must be such as correct=true or auto.cost<0.01, not "${text}"`)
    }
    const [, metric, sign] = parts
    if (metric!.startsWith(AUTOMATIC) && !AUTOMATIC_NAMES.includes(metric!)) {
      throw invalidField(
        pointer,
        `"${metric}" is not measured; there are: ${AUTOMATIC_NAMES.join(', ')}`,
      )
    }
    return { metric: metric!, holds: (value) => COMPARISONS[sign!]!(value, bound) }
  })

/** A leap second has the form of a time, but is none that is known. */
const readTime = (
  query: ExportQuery,
  name: 'from' | 'to',
): { [Name in 'from' | 'to']?: string } => {
  const text = query[name]
  if (text === undefined) return {}
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw invalidField(`/${name}`, 'must be such as 2030-01-31T23:59:59Z')
  return { [name]: new Date(time).toISOString() }
}

/** Where an export stood: behind record `record` (from 0) of run `run`. */
export interface Cursor {
  readonly run: string
  readonly record: number
}

export const cursorText = ({ run, record }: Cursor): string => `${run}.${record}`

const readCursor = (text: string | undefined): Cursor | undefined => {
  if (text === undefined) return undefined
  const parts = /^(run_[0-9a-z]{1,100})\.(\d{1,9})$/.exec(text)
  if (parts === null) throw invalidField('/after', 'must be the `cursor` of a record')
  return { run: parts[1]!, record: Number(parts[2]) }
}

export interface ReadQuery {
  /** As it was asked, its times in the form in which runs have them. */
  readonly query: ExportQuery
  readonly conditions: readonly Condition[]
  readonly cursor: Cursor | undefined
}

/** What the schema cannot tell of a query. @throws RefineError invalid_request naming the field */
export const readQuery = (query: ExportQuery): ReadQuery => ({
  query: { ...query, ...readTime(query, 'from'), ...readTime(query, 'to') },
  conditions: readConditions(query),
  cursor: readCursor(query.after),
})
