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

/** A minus that follows a digit or a word is an operator, not a sign. */
const lastNumber = (text: string): string | undefined => {
  let found: string | undefined
  for (const match of text.matchAll(NUMBER)) {
    const isOperator = match[0].startsWith('-') && /[\w)]/.test(text[match.index - 1] ?? '')
    found = isOperator ? match[0].slice(1) : match[0]
  }
  return found
}

const oneLine = (text: string): string | undefined => {
  const trimmed = text.trim()
  return trimmed !== '' && !trimmed.includes('\n') && trimmed.length <= 64 ? trimmed : undefined
}

/** Longest line in which a stated answer is looked for. */
const MAX_LINE = 1000

/** What follows "answer is" or "answer:", or the last "is" or ":" after the word, in one line. */
const statedIn = (line: string): string | undefined => {
  const rest = /\banswer\b(.*)$/i.exec(line)?.[1]
  if (rest === undefined) return undefined
  return (
    /^(?:\W*\bis\b|[\s*]*[:=])[\s*:=]*(\S.*)$/i.exec(rest)?.[1] ??
    /^.*(?:\bis\b|[:=])[\s*]*(\S.*)$/i.exec(rest)?.[1] ??
    /^\s+(\(?[A-Z]\)?|\S*\d\S*)\s*$/.exec(rest)?.[1]
  )
}

const stated = (text: string): string | undefined => {
  const lines = text.split('\n').filter((line) => line.length <= MAX_LINE)
  const found = lines.map(statedIn).findLast((answer) => answer !== undefined)
  return found?.trim().replace(/[\s*.]{1,64}$/, '')
}

/** The final answer as it stands in the text, or undefined when none can be found. */
export const extractAnswer = (text: string): string | undefined => {
  const found =
    boxed(text) ??
    lastMatch(text, /^[^\S\n]*####\s*(.+)$/gm) ??
    stated(text) ??
    lastNumber(text) ??
    oneLine(text)
  const trimmed = found?.trim()
  return trimmed === '' ? undefined : trimmed
}

const greatestCommonDivisor = (left: number, right: number): number =>
  right === 0 ? Math.abs(left) : greatestCommonDivisor(right, left % right)

/** Twelve digits, and one zero. */
const plainNumber = (value: number): string => String(Number(value.toPrecision(12)) + 0)

/** Whether a reduced fraction with this denominator is a decimal number of finite length. */
const isDecimal = (denominator: number): boolean => {
  let left = denominator
  for (const prime of [2, 5]) while (left % prime === 0) left /= prime
  return left === 1
}

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
    if (!Number.isSafeInteger(top) || !Number.isSafeInteger(bottom)) return undefined
    return isDecimal(bottom) ? plainNumber(top / bottom) : `${top}/${bottom}`
  }
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(plain)) return undefined
  const value = Number(plain)
  return Number.isFinite(value) ? plainNumber(value) : undefined
}

/** Takes away what only decorates an answer: emphasis, mathematics signs, `\text{…}`, the brackets of a choice. */
const undecorated = (answer: string): string => {
  let bare = answer
  for (;;) {
    const next = bare
      .trim()
      .replace(/^\$([^$]*)\$$/, '$1')
      .replace(/^(\*{1,3}|`)([^*`]*)\1$/, '$2')
      .replace(/^\\(?:text|mathrm|textbf)\{([^{}]*)\}$/, '$1')
      .replace(/^\(?([a-z])\)$/i, '$1')
      .replace(/[.\s]{1,64}$/, '')
    if (next === bare) return bare
    bare = next
  }
}

/** Equal answers have equal canonical forms: numbers, fractions, currency, case, spaces and decoration aside. */
export const canonicalAnswer = (answer: string): string => {
  const bare = undecorated(answer)
  return canonicalNumber(bare) ?? bare.toLowerCase().replaceAll(/\s+/g, ' ')
}

/** Canonical form of the final answer of a text, or undefined when the text has none. */
export const answerOf = (text: string): string | undefined => {
  const found = extractAnswer(text)
  return found === undefined ? undefined : canonicalAnswer(found)
}
