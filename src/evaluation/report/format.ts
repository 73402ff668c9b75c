/** Numbers as people read them. */

/** `0.4167` as `41.7`; a dash for what could not be measured. */
export const percent = (share: number | null): string =>
  share === null ? '–' : (share * 100).toFixed(1)

/** With its sign, in percentage points. */
export const points = (difference: number): string => {
  const text = (difference * 100).toFixed(1)
  const shown = text === '-0.0' ? '0.0' : text
  return difference > 0 && shown !== '0.0' ? `+${shown}` : shown.replace('-', '−')
}

/** Two decimals; a dash for what could not be measured. */
export const ratio = (value: number | null): string =>
  value === null ? '–' : value.toFixed(2).replace('-', '−')

/** Three significant digits, thousands grouped. */
export const amount = (value: number): string => {
  if (value === 0) return '0'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}

/** `75` as `1 min 15 s`. */
export const duration = (seconds: number): string => {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}
