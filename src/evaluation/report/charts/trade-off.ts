/** Accuracy against tokens, with intervals and the Pareto front. */
import { amount, percent } from '../format.ts'
import type { ArmResult } from '../results.ts'
import { linearScale, logScale, type Scale } from './scale.ts'
import { drawing, element, line, text, textWidth, title } from './svg.ts'

const WIDTH = 1040
const HEIGHT = 440
const LEFT = 52
const RIGHT = 24
const TOP = 24
const BOTTOM = 46

interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

interface Point {
  readonly arm: ArmResult
  readonly x: number
  readonly y: number
}

const overlaps = (one: Box, other: Box): boolean =>
  one.left < other.right &&
  other.left < one.right &&
  one.top < other.bottom &&
  other.top < one.bottom

const axes = (x: Scale, y: Scale): string =>
  [
    ...y.ticks.flatMap((tick) => [
      line([LEFT, y.place(tick)], [WIDTH - RIGHT, y.place(tick)], 'grid'),
      text(LEFT - 8, y.place(tick) + 4, `${Math.round(tick * 100)} %`, {
        class: 'tick',
        'text-anchor': 'end',
      }),
    ]),
    ...x.ticks.map((tick) =>
      text(x.place(tick), HEIGHT - BOTTOM + 20, amount(tick), {
        class: 'tick',
        'text-anchor': 'middle',
      }),
    ),
    line([LEFT, HEIGHT - BOTTOM], [WIDTH - RIGHT, HEIGHT - BOTTOM], 'axis'),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, 'tokens a run (mean, logarithmic)', {
      class: 'tick',
      'text-anchor': 'middle',
    }),
  ].join('')

/** Above and to the left of a point of the front, and below and to the right of any other, no line of the front runs. */
const SPOTS = [
  [-8, -8, 'end'],
  [9, 16, 'start'],
  [9, -9, 'start'],
  [-9, 18, 'end'],
  [9, 4, 'start'],
  [-9, 4, 'end'],
  [0, -12, 'middle'],
  [0, 21, 'middle'],
] as const

/** Places each name beside its point where nothing else stands yet; the best arms first. */
const labels = (points: readonly Point[]): string => {
  const taken: Box[] = points.map(({ x, y }) => ({
    left: x - 5,
    top: y - 5,
    right: x + 5,
    bottom: y + 5,
  }))
  const boxAt = ({ x, y, arm }: Point, [dx, dy, anchor]: (typeof SPOTS)[number]): Box => {
    const width = textWidth(arm.name)
    const left = x + dx - (anchor === 'end' ? width : anchor === 'middle' ? width / 2 : 0)
    return { left, top: y + dy - 11, right: left + width, bottom: y + dy + 3 }
  }
  const isFree = (box: Box): boolean =>
    box.left >= LEFT &&
    box.right <= WIDTH &&
    box.top >= 0 &&
    !taken.some((other) => overlaps(box, other))
  return points
    .toSorted((left, right) => right.arm.accuracy.value - left.arm.accuracy.value)
    .map((point) => {
      const spots = point.arm.on_pareto_front ? SPOTS : [...SPOTS.slice(1), SPOTS[0]]
      const spot = spots.find((candidate) => isFree(boxAt(point, candidate))) ?? SPOTS[1]
      taken.push(boxAt(point, spot))
      const mark = point.arm.on_pareto_front ? 'label strong' : 'label'
      return text(point.x + spot[0], point.y + spot[1], point.arm.name, {
        class: mark,
        'text-anchor': spot[2],
      })
    })
    .join('')
}

/** A staircase: what can be had at most for so many tokens. */
const front = (points: readonly Point[]): string => {
  const steps = points
    .filter(({ arm }) => arm.on_pareto_front)
    .toSorted((left, right) => left.x - right.x)
  const [first] = steps
  if (first === undefined) return ''
  const path = steps.map(({ x, y }, index) => (index === 0 ? `M${x} ${y}` : `H${x}V${y}`)).join('')
  return element('path', { d: `${path}H${WIDTH - RIGHT}`, class: 'front' })
}

const mark = (point: Point, y: Scale): string => {
  const { arm } = point
  const { value, low, high } = arm.accuracy
  const told = `${arm.name}: ${percent(value)} % [${percent(low)}, ${percent(high)}], ${amount(arm.usage.tokens)} tokens`
  const kind = arm.on_pareto_front ? 'point best' : 'point'
  return element(
    'g',
    {},
    title(told) +
      line(
        [point.x, y.place(low)],
        [point.x, y.place(high)],
        arm.on_pareto_front ? 'whisker best' : 'whisker',
      ) +
      element('circle', { cx: point.x, cy: point.y, r: 5, class: kind }),
  )
}

export const tradeOffChart = (arms: readonly ArmResult[]): string => {
  const tokens = arms.map(({ usage }) => Math.max(1, usage.tokens))
  const [fewest, most] = [Math.min(...tokens), Math.max(...tokens)]
  const low = Math.max(0, Math.floor(Math.min(...arms.map((arm) => arm.accuracy.low)) * 20) / 20)
  const high = Math.min(1, Math.ceil(Math.max(...arms.map((arm) => arm.accuracy.high)) * 20) / 20)
  const x = logScale([fewest / 1.6, most * 1.6], [LEFT, WIDTH - RIGHT])
  const y = linearScale([low, high], [HEIGHT - BOTTOM, TOP], 6)
  const points = arms.map((arm) => ({
    arm,
    x: x.place(Math.max(1, arm.usage.tokens)),
    y: y.place(arm.accuracy.value),
  }))
  const marks = points.map((point) => mark(point, y)).join('')
  return drawing(
    WIDTH,
    HEIGHT,
    'Accuracy against tokens',
    axes(x, y) + front(points) + marks + labels(points),
  )
}
