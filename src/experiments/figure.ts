/** Numbers as people read them, in the reasons of decisions and in the report. */

/** Four significant digits; a dash for what is not known. */
export const figure = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : String(Number(value.toPrecision(4)))
