/** The report as one page that needs nothing else: `results.html`. */
import { anytimeCharts } from './charts/anytime.ts'
import { difficultyCharts, FATES, fateChart } from './charts/bars.ts'
import { element, escapeMarkup } from './charts/svg.ts'
import { tradeOffChart } from './charts/trade-off.ts'
import { TABLES, type Table } from './columns.ts'
import { detailsOf } from './details.ts'
import { describeMethod, describeResults } from './markdown.ts'
import type { ArmResult, Results } from './results.ts'
import { STYLE } from './style.ts'

const paragraph = (words: string): string => element('p', {}, escapeMarkup(words))

const section = (heading: string, words: string, content: string): string =>
  element(
    'section',
    {},
    element('h2', {}, escapeMarkup(heading)) + (words === '' ? '' : paragraph(words)) + content,
  )

const figure = (content: string): string => element('figure', {}, content)

const tableOf = ({ columns }: Table, arms: readonly ArmResult[]): string => {
  const head = columns.map(({ title, meaning }) =>
    element('th', { scope: 'col', title: meaning }, escapeMarkup(title)),
  )
  const rows = arms.map((arm) =>
    element(
      'tr',
      {},
      columns.map(({ cell }) => element('td', {}, escapeMarkup(cell(arm)))).join(''),
    ),
  )
  const table = `<thead>${element('tr', {}, head.join(''))}</thead><tbody>${rows.join('')}</tbody>`
  return element('div', { class: 'scroll' }, element('table', {}, table))
}

const legend = (): string =>
  element(
    'div',
    { class: 'legend' },
    FATES.map(
      ([, words, mark]) => `<span><i class="${mark}"></i>${escapeMarkup(words)}</span>`,
    ).join(''),
  )

const anytime = (results: Results): string =>
  figure(anytimeCharts(results, 'tokens')) +
  `<details><summary>The same over seconds</summary>${figure(anytimeCharts(results, 'seconds'))}</details>`

const charts = (results: Results): string[] => {
  const { arms } = results
  const hasLevels = arms.some(({ difficulty }) => difficulty.length > 0)
  return [
    section(
      'Accuracy against tokens',
      'Bars are 95 % Wilson intervals. The dashed line is the Pareto front: no other arm is as accurate for as few tokens.',
      figure(tradeOffChart(arms)),
    ),
    section(
      'First and last answer',
      'What became of the first answer a run showed, in % of its runs.',
      figure(legend() + fateChart(arms)),
    ),
    section(
      'Accuracy if stopped early',
      'Share of runs, in %, whose answer is right when every run is stopped after so many tokens. A call that writes several samples at once counts as a whole.',
      anytime(results),
    ),
    hasLevels
      ? section(
          'Accuracy by difficulty',
          'Lines are 95 % Wilson intervals.',
          figure(difficultyCharts(arms)),
        )
      : '',
  ]
}

const plainTable = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const cells = (tag: string, row: readonly string[]): string =>
    element('tr', {}, row.map((cell) => element(tag, {}, escapeMarkup(cell))).join(''))
  const body = rows.map((row) => cells('td', row)).join('')
  const table = `<thead>${cells('th', head)}</thead><tbody>${body}</tbody>`
  return element('div', { class: 'scroll' }, element('table', {}, table))
}

const details = (results: Results): string[] =>
  detailsOf(results).map(({ title, head, rows, note }) =>
    section(title, note, plainTable(head, rows)),
  )

const settings = (arms: readonly ArmResult[]): string =>
  plainTable(
    ['arm', 'settings'],
    arms.map((arm) => [arm.name, JSON.stringify(arm.settings)]),
  )

export const toHtml = (results: Results): string => {
  const { arms, complete, data } = results
  const [main, ...others] = TABLES
  const head = [
    '<h1>Evaluation</h1>',
    paragraph(`${describeResults(results)} ${describeMethod(results)}`),
    complete
      ? ''
      : '<p class="warning">Not all runs are there: the arms may stand on different items.</p>',
  ]
  const body = [
    ...head,
    ...(arms.length === 0
      ? [paragraph('No run has finished.')]
      : [
          section(main!.title, '', tableOf(main!, arms)),
          ...charts(results),
          ...others.map((table) => section(table.title, '', tableOf(table, arms))),
          ...details(results),
          section('Settings', '', settings(arms)),
        ]),
  ]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluation: ${escapeMarkup(data.name)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body.filter((part) => part !== '').join('\n')}
</main>
</body>
</html>
`
}
