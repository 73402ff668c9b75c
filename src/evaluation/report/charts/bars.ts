/** Bars: what became of the first answers, and accuracy by difficulty. */
import type { Quadrants } from '../../statistics/self-correction.ts'
import { percent } from '../format.ts'
import type { ArmResult } from '../results.ts'
import { drawing, element, line, text, textWidth, title } from './svg.ts'

const ROW = 26

export const FATES: readonly (readonly [keyof Quadrants, string, string])[] = [
  ['kept', 'right → right', 'kept'],
  ['repaired', 'wrong → right', 'repaired'],
  ['broken', 'right → wrong', 'broken'],
  ['stayed_wrong', 'wrong → wrong', 'wrong'],
]

const nameWidth = (arms: readonly ArmResult[]): number =>
  Math.min(320, Math.max(60, ...arms.map(({ name }) => textWidth(name)))) + 12

/** Confusion of the first and the last answer: four shares of a bar for each arm. */
export const fateChart = (arms: readonly ArmResult[]): string => {
  const left = nameWidth(arms)
  const [width, length] = [1040, 1040 - left - 8]
  const rows = arms.map(({ name, runs, self_correction: { quadrants } }, row) => {
    const top = row * ROW
    let x = left
    const parts = FATES.map(([fate, words, mark]) => {
      const share = quadrants[fate] / Math.max(1, runs)
      const size = share * length
      const at = x
      x += size
      if (size === 0) return ''
      const told = title(`${name}: ${words} ${quadrants[fate]} of ${runs}`)
      const bar = element(
        'rect',
        { x: at, y: top + 3, width: Math.max(0.5, size - 1.5), height: ROW - 8, class: mark },
        told,
      )
      const shown = percent(share)
      const fits = size > textWidth(shown, 11) + 8
      return (
        bar +
        (fits
          ? text(at + size / 2, top + 17, shown, {
              class: `inside on-${mark}`,
              'text-anchor': 'middle',
            })
          : '')
      )
    })
    return (
      text(left - 10, top + 17, name, { class: 'label', 'text-anchor': 'end' }) + parts.join('')
    )
  })
  return drawing(width, arms.length * ROW, 'First and last answer', rows.join(''))
}

const PANEL = 335

interface Row {
  readonly arm: ArmResult
  readonly level: string
  readonly left: number
  readonly top: number
}

const difficultyRow = ({ arm, level, left, top }: Row): string => {
  const { name, difficulty } = arm
  const place = (share: number): number => left + share * (PANEL - left - 44)
  const shown = name.length > 22 ? `${name.slice(0, 21)}…` : name
  const label = text(left - 8, top + 12, shown, { class: 'label', 'text-anchor': 'end' })
  const found = difficulty.find((each) => each.difficulty === level)
  if (found === undefined) return label
  const { value, low, high, runs } = found
  const told = `${name}: ${percent(value)} % [${percent(low)}, ${percent(high)}] of ${runs} runs`
  const width = Math.max(0.5, place(value) - left)
  const bar = { x: left, y: top + 3, width, height: 11, class: 'bar' }
  return [
    label,
    element('rect', bar, title(told)),
    line([place(low), top + 8.5], [place(high), top + 8.5], 'whisker'),
    text(PANEL - 2, top + 12, percent(value), { class: 'tick', 'text-anchor': 'end' }),
  ].join('')
}

/** One panel a level: a bar with its interval for each arm. */
export const difficultyCharts = (arms: readonly ArmResult[]): string => {
  const levels = [...new Set(arms.flatMap((arm) => arm.difficulty.map((each) => each.difficulty)))]
  const left = Math.min(150, nameWidth(arms))
  const panels = levels.map((level) => {
    const rows = arms.map((arm, index) => difficultyRow({ arm, level, left, top: 26 + index * 20 }))
    const count = arms[0]?.difficulty.find((each) => each.difficulty === level)?.runs ?? 0
    const head = text(left, 14, `difficulty ${level}`, { class: 'label strong' })
    const note = text(PANEL - 2, 14, `${count} runs`, { class: 'tick', 'text-anchor': 'end' })
    const height = 30 + arms.length * 20
    const content = head + note + rows.join('')
    return drawing(PANEL, height, `Accuracy at difficulty ${level}`, content)
  })
  return element('div', { class: 'panels' }, panels.join(''))
}
