/** Text that is safe inside HTML and SVG, and numbers people can read. */

export const escapeText = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

/** Four significant digits; a dash for what is not known. */
export const figure = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : String(Number(value.toPrecision(4)))

export const range = (interval: readonly (number | null)[] | null): string =>
  interval === null
    ? '–'
    : `${interval[0] === null ? '−∞' : figure(interval[0])} … ${interval[1] === null ? '∞' : figure(interval[1])}`

/** A row of a table; the cells are markup. */
export const row = (cells: readonly string[], tag: 'td' | 'th' = 'td'): string =>
  `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`
