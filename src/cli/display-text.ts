/** Text as a terminal shows it: its width in cells, cut and wrapped, and free of what could steer the terminal. */
import { stripVTControlCharacters } from 'node:util'

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u
const NARROW_ONLY = /^[ -~]*$/
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]+$/u

const cellsOf = (grapheme: string): number => {
  if (NO_WIDTH.test(grapheme)) return 0
  return WIDE.test(grapheme) ? 2 : 1
}

/** Cells that the text takes in a terminal. */
export const widthOf = (text: string): number => {
  if (NARROW_ONLY.test(text)) return text.length
  let width = 0
  for (const { segment } of graphemes.segment(text)) width += cellsOf(segment)
  return width
}

/** Without escape sequences and control characters: a model's text must not steer the terminal. */
export const printable = (text: string): string =>
  stripVTControlCharacters(text)
    .replaceAll('\t', '  ')
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/(?!\n)[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '')

/** The text on one line, runs of white space as one space. */
export const oneLine = (text: string): string => printable(text).replaceAll(/\s+/g, ' ').trim()

/** The beginning of the text, with an ellipsis where it was cut. */
export const clipEnd = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  let kept = ''
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    used += cellsOf(segment)
    if (used > width - 1) break
    kept += segment
  }
  return width <= 0 ? '' : `${kept}…`
}

/** The end of the text, with an ellipsis where it was cut. */
export const clipStart = (text: string, width: number): string => {
  if (width <= 0) return ''
  // A tail of this many code units holds more cells than are kept; the rest need not be looked at.
  const tail = text.length > width * 16 ? text.slice(-width * 16) : text
  if (tail === text && widthOf(text) <= width) return text
  let kept = ''
  let used = 0
  for (const { segment } of [...graphemes.segment(tail)].toReversed()) {
    used += cellsOf(segment)
    if (used > width - 1) break
    kept = segment + kept
  }
  return `…${kept}`
}

/** Exactly `width` cells: padded or cut at the end. */
export const fit = (text: string, width: number): string => {
  const clipped = clipEnd(text, width)
  return clipped + ' '.repeat(Math.max(0, width - widthOf(clipped)))
}

const breakWord = (word: string, width: number): string[] => {
  const pieces = ['']
  let used = 0
  for (const { segment } of graphemes.segment(word)) {
    const cells = cellsOf(segment)
    if (used + cells > width) {
      pieces.push('')
      used = 0
    }
    pieces[pieces.length - 1] += segment
    used += cells
  }
  return pieces
}

const wrapLine = (line: string, width: number): string[] => {
  if (widthOf(line) <= width) return [line]
  const lines: string[] = []
  let current = ''
  for (const word of line.split(' ')) {
    const longer = current === '' ? word : `${current} ${word}`
    if (widthOf(longer) <= width) {
      current = longer
      continue
    }
    if (current !== '') lines.push(current)
    const pieces = breakWord(word, width)
    lines.push(...pieces.slice(0, -1))
    current = pieces.at(-1)!
  }
  return [...lines, current]
}

/** The text in lines of at most `width` cells, broken at spaces where there are any. */
export const wrap = (text: string, width: number): string[] =>
  printable(text)
    .split('\n')
    .flatMap((line) => wrapLine(line.trimEnd(), Math.max(2, width)))
