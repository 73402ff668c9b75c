/** Text that is safe inside HTML and SVG, and the cells of tables. */
import { figure } from '../figure.ts'

export const escapeText = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

export const range = (interval: readonly (number | null)[] | null): string =>
  interval === null
    ? '–'
    : `${interval[0] === null ? '−∞' : figure(interval[0])} … ${interval[1] === null ? '∞' : figure(interval[1])}`

/** A row of a table; the cells are markup. */
export const row = (cells: readonly string[], tag: 'td' | 'th' = 'td'): string =>
  `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`
