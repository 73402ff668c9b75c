/** `whetstone strategies` and `whetstone models`. */
import type { ModelDescription, StrategyDescription } from '../runs/run-service.ts'
import type { Command } from './arguments.ts'
import { clipEnd, fit, oneLine, widthOf } from './display-text.ts'
import { MODEL_SOURCE_FLAGS, SOURCE_FLAGS } from './refine.ts'

const JSON_FLAG = { name: 'json', description: 'Print the list as JSON.' }

export const STRATEGIES: Command = {
  name: 'strategies',
  summary: 'Lists the strategies, or with a name shows the options of one.',
  operands: '[NAME]',
  maxOperands: 1,
  flags: [JSON_FLAG, ...SOURCE_FLAGS],
}

export const MODELS: Command = {
  name: 'models',
  summary: 'Lists the models and what they can do, or those installed on this machine.',
  maxOperands: 0,
  flags: [
    JSON_FLAG,
    { name: 'installed', description: 'List the models that were pulled or imported.' },
    ...MODEL_SOURCE_FLAGS,
  ],
}

/** Rows as columns of text, each as wide as its widest cell, the last cut at the edge of the terminal. */
export const table = (rows: readonly (readonly string[])[], columns: number): string => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => widthOf(row[column] ?? ''))),
  )
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : fit(cell, widths[column]!))),
    )
    .map((cells) => `${clipEnd(cells.join('  '), columns).trimEnd()}\n`)
    .join('')
}

export const strategyTable = (
  strategies: readonly StrategyDescription[],
  columns: number,
): string =>
  table(
    [
      ['NAME', 'FEEDBACK', 'DESCRIPTION'],
      ...strategies.map(({ name, feedback, description }) => [
        name,
        feedback,
        oneLine(description),
      ]),
    ],
    columns,
  )

interface Option {
  readonly default?: unknown
  readonly description?: string
  /** Of a part that is chosen by its kind: the options of each. */
  readonly 'x-kinds'?: Readonly<Record<string, OptionSchema>>
}

interface OptionSchema {
  readonly properties?: Readonly<Record<string, Option>>
}

/** Longer defaults are left to the JSON. */
const MOST_DEFAULT = 40

const shortDefault = (value: unknown): string => {
  const text = value === undefined ? '' : JSON.stringify(value)
  return text.length > MOST_DEFAULT ? '…' : text
}

/** A line for each kind of a part, with its own options and their defaults. */
const kindRows = ({ 'x-kinds': kinds = {} }: Option): string[][] =>
  Object.entries(kinds).map(([kind, { properties = {} }]) => {
    const own = Object.entries(properties).filter(([name]) => name !== 'kind')
    const told = own.map(([name, option]) => `${name} ${shortDefault(option.default)}`.trim())
    return [`  ${kind}`, '', told.join(', ')]
  })

export const strategyDetails = (strategy: StrategyDescription, columns: number): string => {
  const { properties = {} } = strategy.options as OptionSchema
  const options = Object.entries(properties).flatMap(([name, option]) => [
    [name, shortDefault(option.default), oneLine(option.description ?? '')],
    ...kindRows(option),
  ])
  const head = `${strategy.name}: ${strategy.description}\nSource: ${strategy.source}\nFeedback: ${strategy.feedback}\n`
  if (options.length === 0) return `${head}It has no options.\n`
  return `${head}\n${table([['OPTION', 'DEFAULT', 'MEANING'], ...options], columns)}`
}

/** What it can do itself. */
const capabilitiesOf = ({ capabilities }: ModelDescription): string =>
  Object.entries(capabilities)
    .filter(([, support]) => support !== 'none')
    .map(([name, support]) => (support === 'native' ? name : `(${name})`))
    .join(' ')

export const modelTable = (models: readonly ModelDescription[], columns: number): string =>
  table(
    [
      ['ID', 'ADAPTER', 'CONTEXT', 'CAPABILITIES'],
      ...models.map((model) => [
        model.id,
        model.adapter,
        String(model.context_length ?? ''),
        capabilitiesOf(model),
      ]),
    ],
    columns,
  )
