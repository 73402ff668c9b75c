/** The results of an experiment as one page that needs nothing else: plots are inline, colours follow the reader's. */
import type { Experiment, Metric } from '../experiment.ts'
import type { ExperimentView } from '../experiments.ts'
import { figure } from '../figure.ts'
import type { ExperimentResults, MetricResult } from '../results-schema.ts'
import { MISMATCH_BELOW } from '../sample-ratio.ts'
import { duelTables } from './duels.ts'
import { escapeText, range, row } from './markup.ts'
import { plannedTables } from './planned-looks.ts'
import { drawPlot, type Line, type Point } from './plot.ts'

const STYLE = `
:root { color-scheme: light dark; --back: #fff; --fore: #1d2129; --soft: #667; --rule: #dde0e6;
  --c0: #1f6feb; --c1: #c2410c; --c2: #15803d; --c3: #7e22ce; --c4: #a16207; --c5: #0e7490 }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --fore: #e4e7ec; --soft: #9aa3b2;
  --rule: #2d333d; --c0: #6ea8fe; --c1: #fb923c; --c2: #4ade80; --c3: #c084fc; --c4: #facc15; --c5: #22d3ee } }
body { background: var(--back); color: var(--fore); font: 15px/1.5 system-ui, sans-serif;
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.05rem; margin: 0 0 .25rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid var(--rule); padding: .3rem .6rem; text-align: right }
td { white-space: nowrap } section { margin: 0 0 1.25rem }
th:first-child, td:first-child { text-align: left }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1.5rem; margin: 1.5rem 0 }
.decision { border-left: 4px solid var(--c0); padding: .25rem 1rem; margin: 1rem 0 }
.legend, .soft { color: var(--soft); margin: 0 } .wide { overflow-x: auto }
svg { width: 100%; height: auto } svg text { fill: var(--soft); font-size: 11px }
.grid { stroke: var(--rule) } .level { stroke: var(--soft); stroke-dasharray: 4 3 }
.line { fill: none; stroke: currentColor; stroke-width: 1.5 } .dot { fill: currentColor }
.band { fill: currentColor; opacity: .14 }
${[0, 1, 2, 3, 4, 5].map((index) => `.c${index} { color: var(--c${index}) }`).join(' ')}`

const HEAD = [
  'Arm',
  'Units',
  'Value',
  'Interval',
  'Difference',
  'At all looks',
  'p, always valid',
  'Lift',
  'Chance best',
  'Expected loss',
  'Responses',
]

const cellsOf = (name: string, metric: MetricResult): string[] => [
  escapeText(name),
  String(metric.units),
  figure(metric.mean),
  range(metric.interval),
  figure(metric.difference),
  range(metric.interval_anytime),
  figure(metric.p_anytime),
  figure(metric.lift),
  figure(metric.chance_best),
  figure(metric.expected_loss),
  figure(metric.response_rate),
]

/** What is known beyond the table: discoveries of e-BH, and how well predictions agree with the truth. */
const notesOf = (arms: ExperimentResults['arms'], { name, predicted_by }: Metric): string => {
  const found = arms.filter(({ metrics }) => metrics[name]!.discovered === true)
  const notes =
    found.length === 0 ? [] : [`Named by e-BH: ${found.map((arm) => arm.name).join(', ')}.`]
  for (const arm of predicted_by === undefined ? [] : arms) {
    const { units, bias, kappa } = arm.metrics[name]!.agreement!
    notes.push(
      `Of ${arm.name}, ${predicted_by} is off by ${figure(bias)} in the mean of ${units} units (κ ${figure(kappa)}).`,
    )
  }
  return notes.length === 0 ? '' : `<p class="soft">${escapeText(notes.join(' '))}</p>`
}

const tableOf = ({ arms }: ExperimentResults, metric: Metric): string => {
  const notes = [metric.direction === 'up' ? 'more is better' : 'less is better']
  if (metric.primary === true) notes.unshift('primary')
  const rows = arms.map(({ name, metrics }) => row(cellsOf(name, metrics[metric.name]!)))
  return `<section><h2>${escapeText(metric.name)} <span class="soft">(${notes.join(', ')})</span></h2>
<div class="wide"><table>${row(HEAD, 'th')}${rows.join('')}</table></div>${notesOf(arms, metric)}</section>`
}

const guardrailTable = ({ arms }: ExperimentResults): string => {
  const rows = arms.flatMap(({ name, metrics }) =>
    Object.entries(metrics).flatMap(([metric, { guardrail }]) => {
      if (guardrail === null) return []
      const state = guardrail.breached ? 'breached' : guardrail.passes ? 'holds' : 'not shown yet'
      const margin = `${figure(guardrail.margin)}${guardrail.relative ? ' × control' : ''}`
      return [
        row([escapeText(metric), escapeText(name), margin, figure(guardrail.p_anytime), state]),
      ]
    }),
  )
  if (rows.length === 0) return ''
  const head = row(['Guardrail', 'Arm', 'Margin', 'p, always valid', 'State'], 'th')
  return `<section><h2>Guardrails</h2><table>${head}${rows.join('')}</table></section>`
}

const units = (exposures: Readonly<Record<string, number>>): number =>
  Object.values(exposures).reduce((sum, count) => sum + count, 0)

type Course = ExperimentView['course']

/** The stored course and the look of now, as one. */
const withNow = ({ course, results }: ExperimentView): Course => {
  const arms = Object.fromEntries(
    results.arms
      .slice(1)
      .map(({ name, metrics }) => [
        name,
        Object.fromEntries(
          Object.entries(metrics).map(([metric, { difference, interval_anytime: interval }]) => [
            metric,
            { difference, interval },
          ]),
        ),
      ]),
  )
  const exposures = Object.fromEntries(results.arms.map((arm) => [arm.name, arm.exposures]))
  const now = { at: results.at, point: { exposures, srm: results.srm.p, arms } }
  return [...course.filter(({ at }) => at < results.at), now]
}

const intervalPlot = (course: Course, names: readonly string[], metric: string): string => {
  const lines = names.slice(1).map((name, index): Line => {
    const points = course.flatMap(({ point }): Point[] => {
      const seen = point.arms[name]?.[metric]
      const [low, high] = seen?.interval ?? []
      if (typeof seen?.difference !== 'number') return []
      if (typeof low !== 'number' || typeof high !== 'number') return []
      return [{ x: units(point.exposures), y: seen.difference, low, high }]
    })
    return { name, points, colour: index + 1 }
  })
  const title = `Difference in ${metric}, with its interval at all looks`
  return drawPlot({ title, x: 'units', y: 'difference', lines, level: 0 })
}

const exposurePlot = (course: Course, names: readonly string[]): string => {
  const start = Date.parse(course[0]?.at ?? '')
  const lines = names.map((name) => ({
    name,
    points: course.map(({ at, point }) => ({
      x: (Date.parse(at) - start) / 60_000,
      y: point.exposures[name] ?? 0,
    })),
  }))
  return drawPlot({ title: 'Units exposed so far', x: 'minutes', y: 'units', lines })
}

const splitPlot = (course: Course): string => {
  const points = course.flatMap(({ point }) =>
    point.srm === null ? [] : [{ x: units(point.exposures), y: point.srm }],
  )
  const lines = points.length === 0 ? [] : [{ name: 'p of the split', points }]
  const level = MISMATCH_BELOW
  const title = 'Does the split match the weights?'
  return drawPlot({ title, x: 'units', y: 'p', lines, level, isLogarithmic: true })
}

const COSTS = ['auto.cost', 'auto.tokens', 'auto.seconds', 'auto.calls']

/** The primary metric against what it costs, where a cost is measured. */
const costPlot = ({ metrics }: Experiment, { arms }: ExperimentResults): string => {
  const quality = metrics.find(({ primary }) => primary === true) ?? metrics[0]!
  const cost = COSTS.find((name) => metrics.some((metric) => metric.name === name))
  if (cost === undefined) return ''
  const lines = arms.map(({ name, metrics: own }): Line => {
    const { mean: y, interval } = own[quality.name]!
    const { mean: x } = own[cost]!
    if (x === null || y === null) return { name, points: [] }
    const [low, high] = interval ?? []
    const band = typeof low === 'number' && typeof high === 'number' ? { low, high } : {}
    return { name, points: [{ x, y, ...band }] }
  })
  const title = `What ${quality.name} costs`
  return drawPlot({ title, x: cost, y: quality.name, lines, isScatter: true })
}

const leadOf = ({ best_arm: best }: ExperimentResults): string => {
  if (best === null) return ''
  const { arm, evidence, threshold } = best
  return `<p>${escapeText(arm)} leads: evidence ${figure(evidence)}, of ${figure(threshold)} that it takes.</p>`
}

const decisionOf = ({ decision, status }: ExperimentResults): string => {
  const verdict =
    decision.action === 'continue'
      ? 'Undecided'
      : `${decision.action === 'ship' ? 'Ship' : 'Keep'} ${decision.arm ?? ''}`
  const when = decision.at === null ? '' : ` Decided at ${decision.at}.`
  return `<div class="decision"><strong>${escapeText(verdict)}</strong><br>${escapeText(decision.reason + when)}
<br><span class="soft">The experiment is ${status}.</span></div>`
}

/** The whole page. Nothing in it is loaded from anywhere, and nothing runs. */
export const renderReport = (view: ExperimentView): string => {
  const { experiment, results, version } = view
  const course = withNow(view)
  const names = results.arms.map(({ name }) => name)
  const primaries = experiment.metrics.filter(({ primary }) => primary === true)
  const shown = primaries.length === 0 ? experiment.metrics.slice(0, 1) : primaries
  const plots = [
    ...shown.map(({ name }) => intervalPlot(course, names, name)),
    exposurePlot(course, names),
    splitPlot(course),
    costPlot(experiment, results),
  ]
  const about = [experiment.description, experiment.hypothesis]
    .filter((text) => text !== undefined)
    .map((text) => `<p>${escapeText(text)}</p>`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeText(experiment.key)}</title><style>${STYLE}</style></head>
<body><h1>${escapeText(experiment.key)}</h1>
<p class="soft">Version ${version}, as of ${results.at}; α = ${results.alpha}. Split: p = ${figure(results.srm.p)}.</p>
${about.join('')}${decisionOf(results)}${leadOf(results)}${plannedTables(experiment, results)}${duelTables(results)}<div class="plots">${plots.join('')}</div>
${experiment.metrics.map((metric) => tableOf(results, metric)).join('')}${guardrailTable(results)}</body></html>
`
}
