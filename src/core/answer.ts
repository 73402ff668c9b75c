/**
 * The canonicaliser: finds the final answer in a text and brings it to a form in which equal answers are equal
 * strings. No model takes part. Order of extraction: `\boxed{…}`, a line that begins with `####`, "answer is/: …", the
 * only line of a one-line text, else the last number.
 */

const lastMatch = (text: string, pattern: RegExp): string | undefined => {
  let found: string | undefined
  for (const match of text.matchAll(pattern)) found = match[1]
  return found
}

const boxed = (text: string): string | undefined => {
  const start = text.lastIndexOf('\\boxed{')
  if (start < 0) return undefined
  let depth = 0
  for (let at = start + '\\boxed'.length; at < text.length; at++) {
    if (text[at] === '{') depth++
    if (text[at] === '}' && --depth === 0) return text.slice(start + '\\boxed{'.length, at)
  }
  return undefined
}

const NUMBER = /-?\d[\d,_ ]*(?:\.\d+)?(?:\s*\/\s*\d+)?%?/g

const lastNumber = (text: string): string | undefined => text.match(NUMBER)?.at(-1)

const oneLine = (text: string): string | undefined => {
  const trimmed = text.trim()
  return trimmed !== '' && !trimmed.includes('\n') && trimmed.length <= 64 ? trimmed : undefined
}

/** The final answer as it stands in the text, or undefined when none can be found. */
export const extractAnswer = (text: string): string | undefined => {
  const found =
    boxed(text) ??
    lastMatch(text, /^\s*####\s*(.+)$/gm) ??
    lastMatch(text, /\banswer(?:\s+is)?\s*[:=]?\s*\**\(?([^\s*()][^\n]*?)\)?\**\.?\s*$/gim) ??
    lastNumber(text) ??
    oneLine(text)
  const trimmed = found?.trim()
  return trimmed === '' ? undefined : trimmed
}

const greatestCommonDivisor = (left: number, right: number): number =>
  right === 0 ? Math.abs(left) : greatestCommonDivisor(right, left % right)

const canonicalNumber = (text: string): string | undefined => {
  const plain = text
    .replaceAll(/(?<=\d)[,_ ](?=\d{3}\b)/g, '')
    .replace(/^[$€£]\s*/, '')
    .replace(/\s*(?:dollars?|euros?|%|percent)$/i, '')
    .trim()
  const fraction =
    /^(-?\d+)\s*\/\s*(\d+)$/.exec(plain) ?? /^(-?)\\d?frac\{(\d+)\}\{(\d+)\}$/.exec(plain)
  if (fraction !== null) {
    const [numerator, denominator] =
      fraction.length === 3
        ? [Number(fraction[1]), Number(fraction[2])]
        : [Number(`${fraction[1]}${fraction[2]}`), Number(fraction[3])]
    if (denominator === 0) return undefined
    const divisor = greatestCommonDivisor(numerator, denominator)
    const [top, bottom] = [numerator / divisor, denominator / divisor]
    return bottom === 1 ? String(top) : `${top}/${bottom}`
  }
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(plain)) return undefined
  const value = Number(plain)
  return Number.isFinite(value) ? String(Number(value.toPrecision(12))) : undefined
}

/** Equal answers have equal canonical forms: numbers, fractions, currency, case, spaces and final points aside. */
export const canonicalAnswer = (answer: string): string => {
  const trimmed = answer
    .trim()
    .replace(/^\$(.*)\$$/s, '$1')
    .replace(/[.\s]+$/, '')
  return canonicalNumber(trimmed) ?? trimmed.toLowerCase().replaceAll(/\s+/g, ' ')
}

/** Canonical form of the final answer of a text, or undefined when the text has none. */
export const answerOf = (text: string): string | undefined => {
  const found = extractAnswer(text)
  return found === undefined ? undefined : canonicalAnswer(found)
}
