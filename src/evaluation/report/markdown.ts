/** The report as Markdown tables: `results.md`. */
import { TABLES, type Table } from './columns.ts'
import { amount, percent } from './format.ts'
import type { ArmResult, Results } from './results.ts'

const escape = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const row = (cells: readonly string[]): string => `| ${cells.map(escape).join(' | ')} |`

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [
    row(head),
    `|${head.map((_, index) => (index === 0 ? '---' : '--:')).join('|')}|`,
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

const roleSection = (arms: readonly ArmResult[]): string => {
  const rows = arms.flatMap(({ name, usage }) =>
    Object.entries(usage.by_role).map(([role, { calls, input_tokens, output_tokens }]) => [
      name,
      role,
      amount(calls),
      amount(input_tokens),
      amount(output_tokens),
    ]),
  )
  return `## Spending by role\n\n${table(['arm', 'role', 'calls', 'input tokens', 'output tokens'], rows)}`
}

const draftSection = (arms: readonly ArmResult[]): string => {
  const rows = arms
    .filter(({ drafts }) => drafts.length > 1)
    .flatMap(({ name, drafts }) =>
      drafts.map(({ k, runs, pass, majority }) => [
        name,
        String(k),
        percent(pass),
        percent(majority),
        String(runs),
      ]),
    )
  if (rows.length === 0) return ''
  const note =
    'Only runs with at least k drafts can tell; where a strategy stops early these are its hard questions.'
  return `## pass@k and majority@k\n\n${table(['arm', 'k', 'pass@k %', 'majority@k %', 'runs'], rows)}\n\n${note}`
}

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

const leftOutSection = ({ left_out: leftOut }: Results): string =>
  leftOut.length === 0
    ? ''
    : `## Left out\n\n${leftOut.map(({ arm, reason }) => `- ${arm}: ${reason}`).join('\n')}`

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
    draftSection(arms),
    roleSection(arms),
    leftOutSection(results),
  ]
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`
}
