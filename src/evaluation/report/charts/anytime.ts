/** Accuracy if every run were stopped now: one panel an arm, the others behind it. */
import type { Curve } from '../../statistics/anytime.ts'
import { amount, percent } from '../format.ts'
import type { Results } from '../results.ts'
import { linearScale, logScale, type Scale } from './scale.ts'
import { drawing, element, line, text } from './svg.ts'

const WIDTH = 250
const HEIGHT = 184
const LEFT = 34
const TOP = 40
const RIGHT = 16
const BOTTOM = 24

const path = (curve: Curve, x: Scale, y: Scale): string => {
  const steps = curve.map(
    ([at, accuracy]) => `H${x.place(at).toFixed(1)}V${y.place(accuracy).toFixed(1)}`,
  )
  return `M${LEFT} ${y.place(0).toFixed(1)}${steps.join('')}H${WIDTH - RIGHT}`
}

const axes = (x: Scale, y: Scale): string =>
  [
    ...y.ticks.flatMap((tick) => [
      line([LEFT, y.place(tick)], [WIDTH - RIGHT, y.place(tick)], 'grid'),
      text(LEFT - 5, y.place(tick) + 4, String(Math.round(tick * 100)), {
        class: 'tick',
        'text-anchor': 'end',
      }),
    ]),
    ...x.ticks.map((tick) =>
      text(x.place(tick), HEIGHT - 8, amount(tick), { class: 'tick', 'text-anchor': 'middle' }),
    ),
  ].join('')

/** Thins ticks until their labels stand apart. */
const spaced = (scale: Scale): Scale => {
  const kept: number[] = []
  for (const tick of scale.ticks) {
    const last = kept.at(-1)
    if (last === undefined || scale.place(tick) - scale.place(last) >= 36) kept.push(tick)
  }
  return { ...scale, ticks: kept }
}

/** Panels for one unit of spending. */
export const anytimeCharts = ({ arms, horizon }: Results, unit: 'seconds' | 'tokens'): string => {
  const starts = arms.flatMap(({ anytime }) => anytime[unit][0]?.[0] ?? [])
  const end = Math.max(horizon[unit], Number.EPSILON)
  const start = Math.max(Math.min(end / 2, ...starts), end / 1000)
  const top = Math.max(
    0.1,
    ...arms.flatMap(({ anytime }) => anytime[unit].map(([, share]) => share)),
  )
  const x = spaced(logScale([start / 1.3, end], [LEFT, WIDTH - RIGHT]))
  const y = linearScale([0, Math.min(1, top * 1.05)], [HEIGHT - BOTTOM, TOP], 4)
  const paths = arms.map(({ anytime }) => path(anytime[unit], x, y))
  const background = paths.map((d) => element('path', { d, class: 'curve' })).join('')
  const panels = arms.map(({ name, anytime }, index) => {
    const area = anytime[unit === 'seconds' ? 'area_seconds' : 'area_tokens']
    const content = [
      axes(x, y),
      background,
      element('path', { d: paths[index], class: 'curve own' }),
      text(LEFT, 14, name, { class: 'label strong' }),
      text(LEFT, 29, `area ${percent(area)} %`, { class: 'tick' }),
    ]
    return drawing(WIDTH, HEIGHT, `Accuracy of ${name} over ${unit}`, content.join(''))
  })
  return element('div', { class: 'panels' }, panels.join(''))
}
