/** The report as Markdown tables: `results.md`. */
import { TABLES, type Table } from './columns.ts'
import { detailsOf, type Details } from './details.ts'
import { percent } from './format.ts'
import type { ArmResult, Results } from './results.ts'

const escape = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const row = (cells: readonly string[]): string => `| ${cells.map(escape).join(' | ')} |`

/** `words`: columns of words, in front of those of numbers. */
const table = (head: readonly string[], rows: readonly (readonly string[])[], words = 1): string =>
  [
    row(head),
    `|${head.map((_, index) => (index < words ? '---' : '--:')).join('|')}|`,
    ...rows.map(row),
  ].join('\n')

const section = ({ title, columns }: Table, arms: readonly ArmResult[]): string => {
  const cells = arms.map((arm) => columns.map(({ cell }) => cell(arm)))
  const notes = columns.slice(1).map((column) => `${column.title}: ${column.meaning}`)
  return `## ${title}\n\n${table(
    columns.map((column) => column.title),
    cells,
  )}\n\n${notes.join(' ')}`
}

const detailSection = ({ title, head, rows, words, note }: Details): string =>
  `## ${title}\n\n${table(head, rows, words)}${note === '' ? '' : `\n\n${note}`}`

const difficultySection = (arms: readonly ArmResult[]): string => {
  const levels = [...new Set(arms.flatMap((arm) => arm.difficulty.map((each) => each.difficulty)))]
  if (levels.length === 0) return ''
  const rows = arms.map(({ name, difficulty }) => [
    name,
    ...levels.map((level) => {
      const found = difficulty.find((each) => each.difficulty === level)
      return found === undefined ? '–' : `${percent(found.value)} (${found.runs})`
    }),
  ])
  return `## Accuracy by difficulty, % (runs)\n\n${table(['arm', ...levels], rows)}`
}

/** What was measured, and whether all of it. */
export const describeResults = (results: Results): string => {
  const { data, arms, repeats, seed, finished, planned, complete } = results
  const state = complete ? 'complete' : `${finished} of ${planned} runs: not complete`
  const times = repeats === 1 ? '' : `, ${repeats} runs each`
  return `${data.items} items of ${data.name}${times}, ${arms.length} arms, seed ${seed}; ${state}.`
}

/** How the differences were computed; the same for all arms. */
export const describeMethod = ({ arms, baseline }: Results): string => {
  const method = arms.find(({ difference }) => difference !== null)?.difference?.method
  return method === undefined ? '' : `Differences are against ${baseline}; interval: ${method}.`
}

export const toMarkdown = (results: Results): string => {
  const { arms } = results
  const sections = [
    `# Evaluation\n\n${describeResults(results)} ${describeMethod(results)}`.trimEnd(),
    ...TABLES.map((each) => section(each, arms)),
    difficultySection(arms),
    ...detailsOf(results).map(detailSection),
  ]
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`
}
