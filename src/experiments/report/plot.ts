/** Plots as inline SVG, without scripts; colours come from the page's style. */
import { figure } from '../figure.ts'
import { escapeText } from './markup.ts'
import { linearTicks, logarithmicTicks } from './ticks.ts'

export interface Point {
  readonly x: number
  readonly y: number
  /** Ends of a band or a whisker. */
  readonly low?: number
  readonly high?: number
}

export interface Line {
  readonly name: string
  readonly points: readonly Point[]
  /** The same arm has the same one in every plot. Default: its place among the lines. */
  readonly colour?: number
}

const COLOURS = 6

/** Class of the colour of a line. */
const colourOf = ({ colour }: Line, index: number): string => `c${(colour ?? index) % COLOURS}`

export interface Plot {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly lines: readonly Line[]
  /** A horizontal line to compare with. */
  readonly level?: number
  /** Single points with whiskers instead of lines with bands. */
  readonly isScatter?: boolean
  readonly isLogarithmic?: boolean
}

const WIDTH = 640
const HEIGHT = 260
const LEFT = 64
const RIGHT = 16
const TOP = 12
const BOTTOM = 40

type Scale = (value: number) => number

const extent = (values: readonly number[]): readonly [number, number] => {
  const finite = values.filter(Number.isFinite)
  if (finite.length === 0) return [0, 1]
  // No spreading: a course may have more points than a call takes arguments.
  const low = finite.reduce((least, value) => Math.min(least, value))
  const high = finite.reduce((most, value) => Math.max(most, value))
  const margin = high > low ? (high - low) * 0.05 : Math.abs(high) * 0.1 || 0.5
  return [low - margin, high + margin]
}

const scaleOf = (
  [low, high]: readonly [number, number],
  [from, to]: readonly [number, number],
): Scale => {
  const step = (to - from) / (high - low)
  return (value) => Number((from + (value - low) * step).toFixed(1))
}

const axis = (bounds: readonly [number, number], isLogarithmic: boolean) =>
  isLogarithmic
    ? logarithmicTicks(bounds).map((at) => ({ at, label: figure(10 ** at) }))
    : linearTicks(bounds).map((at) => ({ at, label: figure(at) }))

const path = (points: readonly (readonly [number, number])[]): string =>
  points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${x} ${y}`).join('')

const bandOf = ({ points }: Line, x: Scale, y: Scale): string => {
  const known = points.filter(({ low, high }) => low !== undefined && high !== undefined)
  if (known.length < 2) return ''
  const upper = known.map((point) => [x(point.x), y(point.high!)] as const)
  const lower = known.map((point) => [x(point.x), y(point.low!)] as const).toReversed()
  return `<path class="band" d="${path([...upper, ...lower])}Z"/>`
}

const markOf = ({ low, high, ...point }: Point, x: Scale, y: Scale): string => {
  const whisker =
    low === undefined || high === undefined
      ? ''
      : `<line class="line" x1="${x(point.x)}" x2="${x(point.x)}" y1="${y(low)}" y2="${y(high)}"/>`
  return `${whisker}<circle class="dot" cx="${x(point.x)}" cy="${y(point.y)}" r="4"/>`
}

const lineOf = (line: Line, x: Scale, y: Scale, isScatter: boolean): string => {
  if (isScatter) return line.points.map((point) => markOf(point, x, y)).join('')
  const course = path(line.points.map((point) => [x(point.x), y(point.y)] as const))
  const last = line.points.at(-1)
  const dot = last === undefined ? '' : markOf({ x: last.x, y: last.y }, x, y)
  return `${bandOf(line, x, y)}<path class="line" d="${course}"/>${dot}`
}

const axes = (plot: Plot, x: Scale, y: Scale, bounds: readonly (readonly [number, number])[]) => {
  const below = HEIGHT - BOTTOM
  const horizontal = axis(bounds[0]!, false).map(
    ({ at, label }) => `<text x="${x(at)}" y="${below + 16}" text-anchor="middle">${label}</text>`,
  )
  const vertical = axis(bounds[1]!, plot.isLogarithmic === true).map(
    ({ at, label }) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(at)}" y2="${y(at)}"/>` +
      `<text x="${LEFT - 8}" y="${y(at) + 4}" text-anchor="end">${label}</text>`,
  )
  const name = `<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escapeText(plot.x)}</text>`
  return [...vertical, ...horizontal, name].join('')
}

const transformed = ({ points, ...line }: Line): Line => {
  const log = (value: number): number => Math.log10(Math.max(value, 1e-12))
  return {
    ...line,
    points: points.map(({ x, y, low, high }) => ({
      x,
      y: log(y),
      ...(low !== undefined && { low: log(low) }),
      ...(high !== undefined && { high: log(high) }),
    })),
  }
}

const legend = (lines: readonly Line[]): string =>
  lines
    .map(
      (line, index) => `<span class="${colourOf(line, index)}">● ${escapeText(line.name)}</span>`,
    )
    .join(' ')

/** The plot with its title and legend; says so where there is nothing to draw. */
export const drawPlot = (plot: Plot): string => {
  const title = `<h2>${escapeText(plot.title)}</h2>`
  const lines = plot.isLogarithmic === true ? plot.lines.map(transformed) : plot.lines
  const points = lines.flatMap((line) => line.points)
  if (points.length === 0) return `<section>${title}<p>Nothing to show yet.</p></section>`
  const level = plot.isLogarithmic === true && plot.level ? Math.log10(plot.level) : plot.level
  const heights = points.flatMap(({ y, low = y, high = y }) => [y, low, high])
  const across = extent(points.map((point) => point.x))
  const upward = extent(level === undefined ? heights : [...heights, level])
  const x = scaleOf(across, [LEFT, WIDTH - RIGHT])
  const y = scaleOf(upward, [HEIGHT - BOTTOM, TOP])
  const compared =
    level === undefined
      ? ''
      : `<line class="level" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(level)}" y2="${y(level)}"/>`
  const drawn = lines.map(
    (line, index) =>
      `<g class="${colourOf(line, index)}">${lineOf(line, x, y, plot.isScatter === true)}</g>`,
  )
  const label = escapeText(`${plot.title}: ${plot.y} by ${plot.x}`)
  return `<section>${title}<p class="legend">${legend(plot.lines)}</p>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">${axes(plot, x, y, [across, upward])}${compared}${drawn.join('')}</svg></section>`
}
