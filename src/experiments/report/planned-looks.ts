/** Planned looks in the report: what was spent, and how near each primary metric came to its bound. */
import type { Experiment } from '../experiment.ts'
import { figure } from '../figure.ts'
import type { ExperimentResults, PlannedResults } from '../results-schema.ts'
import { escapeText, range, row } from './markup.ts'

const SPENT_LIKE = {
  obrien_fleming: 'like O’Brien–Fleming',
  pocock: 'like Pocock',
  power: 'by a power of the units',
} as const

const looksTable = ({ taken }: PlannedResults): string => {
  const head = row(['Look', 'Units', 'Share of the plan', 'α spent', 'Bound of |z|'], 'th')
  const rows = taken.map(({ units, share, spent, bound }, index) =>
    row([String(index + 1), String(units), figure(share), figure(spent), figure(bound)]),
  )
  return `<table>${head}${rows.join('')}</table>`
}

const testedTable = ({ metrics }: Experiment, { arms }: ExperimentResults): string => {
  const rows = arms.slice(1).flatMap(({ name, metrics: own }) =>
    metrics.flatMap((metric) => {
      const planned = own[metric.name]!.planned
      if (planned === null) return []
      const { z, bound, interval, crossed } = planned
      const state = crossed === null ? `${figure(Math.abs(z) / bound)} of the bound` : crossed
      const cells = [escapeText(metric.name), escapeText(name), figure(z), figure(bound)]
      return [row([...cells, range(interval), state])]
    }),
  )
  const head = ['Primary metric', 'Arm', 'z', 'Bound', 'Difference at all planned looks', 'Crossed']
  return rows.length === 0 ? '' : `<table>${row(head, 'th')}${rows.join('')}</table>`
}

export const plannedTables = (experiment: Experiment, results: ExperimentResults): string => {
  const { planned_looks: looks } = results
  if (looks === null) return ''
  const { number, units, spending, taken, next } = looks
  const note = `α is spent ${SPENT_LIKE[spending]} over ${number} looks, the last at ${units} units`
  const due = next === null ? 'All looks are taken.' : `The next look is due at ${next} units.`
  const tables = taken.length === 0 ? '' : looksTable(looks) + testedTable(experiment, results)
  return `<section><h2>Planned looks <span class="soft">(${note})</span></h2>
<div class="wide">${tables}</div><p class="soft">${due} Only they decide; the other intervals are for information.</p></section>`
}
