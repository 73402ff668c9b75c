/** The form in which equal answers are equal strings. No model takes part. */

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

const quotient = (numerator: number, denominator: number): string | undefined => {
  if (denominator === 0) return undefined
  const divisor = greatestCommonDivisor(numerator, denominator)
  const [top, bottom] = [numerator / divisor, denominator / divisor]
  if (!Number.isSafeInteger(top) || !Number.isSafeInteger(bottom)) return undefined
  return isDecimal(bottom) ? plainNumber(top / bottom) : `${top}/${bottom}`
}

/** `3/4`, `1 3/4` or `\frac{3}{4}`, with a sign in front or above. */
const FRACTION = /^(-?)(?:(\d+)\s+)?(\d+)\s*\/\s*(\d+)$/
const LATEX_FRACTION = /^(-?)\\[dt]?frac\s*(?:\{\s*(-?)(\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))$/

const fraction = (plain: string): string | undefined => {
  const [, sign, whole = '0', top, bottom] = FRACTION.exec(plain) ?? []
  if (top !== undefined) {
    const over = Number(bottom)
    return quotient((sign === '-' ? -1 : 1) * (Number(whole) * over + Number(top)), over)
  }
  const [, before, above, first, second, third, fourth] = LATEX_FRACTION.exec(plain) ?? []
  if (before === undefined) return undefined
  const isNegative = (before === '-') !== (above === '-')
  return quotient((isNegative ? -1 : 1) * Number(first ?? second), Number(third ?? fourth))
}

const SCALES: Readonly<Record<string, number>> = {
  dozen: 12,
  hundred: 100,
  thousand: 1e3,
  million: 1e6,
  billion: 1e9,
  trillion: 1e12,
}
const SCALED = new RegExp(`^(.*\\d) (${Object.keys(SCALES).join('|')})$`)

/** Units that are written behind a number without a space, too. */
const ATTACHED =
  /(?<=\d)(?:[kcm]?m|[km]?g|m?l|m?s|h|hrs?|mins?|ft|in|lbs?|oz|mph|km\/h|°[cf]?|€|¢)$/
/** Words behind a number that are no unit: without them it would be another answer. */
const NO_UNIT =
  'or|and|to|out|of|by|in|at|over|under|from|through|times|plus|minus|mod|choose|squared|cubed|factorial|am|pm|bc|ad|bce|ce|percent|' +
  'jan\\w*|feb\\w*|mar|march|apr\\w*|may|june?|july?|aug\\w*|sept?\\w*|oct\\w*|nov\\w*|dec\\w*|' +
  Object.keys(SCALES).join('|')
/** One word, or "square meters", "dollars per day", "hours a day". */
const UNIT = new RegExp(
  `(?<=\\d(?: (?:${Object.keys(SCALES).join('|')}))?) (?:(?:square|cubic) )?(?!(?:${NO_UNIT})$)[a-z]{2,24}(?: (?:per|an?|each|every) [a-z]{1,24})?$`,
)

/** Without grouping, currency and unit. */
const bareNumber = (text: string): string =>
  text
    .replaceAll(/\{,\}/g, ',')
    .replaceAll(/(?<=\d)[,_ \u00A0\u2009\u202F](?=\d{3}(?!\d))/g, '')
    .replace(/^\$([^$]*)\$(?= |$)/, '$1')
    .replace(/^([-+]?)\s*[$€£¥₹]\s*/, '$1')
    .replace(/ \([^()]*\)$/, '')
    .replace(/\s*(?:%|percent)$/, '')
    .replace(UNIT, '')
    .replace(ATTACHED, '')
    .trim()

/** The number that a text in lower case is, undefined when it is none. */
export const canonicalNumber = (text: string): string | undefined => {
  const bare = bareNumber(text)
  const [, scaled, scale] = SCALED.exec(bare) ?? []
  const plain = scaled ?? bare
  const exact = scale === undefined ? fraction(plain) : undefined
  if (exact !== undefined) return exact
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/.test(plain)) return undefined
  const value = Number(plain) * (scale === undefined ? 1 : SCALES[scale]!)
  return Number.isFinite(value) ? plainNumber(value) : undefined
}

/** One of several choices, with or without what it says: `(B) Paris`, `B. Paris`; initials of names are none. */
const choiceOf = (answer: string): string =>
  answer
    .replace(/^(?:option|choice)\s+(?=\(?[a-z]\)?$)/i, '')
    .replace(/^([A-F])\.\s+(?=[A-Z\d$\\-](?![.]))[^\n]*$/, '$1')
    .replace(/^\(?([a-z])\)(?:\s[^\n]*)?$/i, '$1')

/** Digits of East Asian width are digits. */
export const narrow = (text: string): string =>
  text.replaceAll(/[０-９]/g, (digit) => String.fromCharCode(digit.charCodeAt(0) - 0xfee0))

/** LaTeX for what plain text writes otherwise. */
const plainText = (answer: string): string =>
  narrow(answer)
    .replaceAll('−', '-')
    .replaceAll(/\\([$%])/g, '$1')
    .replaceAll(/\\(?:[,!;: ]|left(?![a-z])|right(?![a-z]))/g, '')
    .replaceAll(/\^\{?\\circ\}?/g, '°')
    .replaceAll(/(?<=\d)\s*\\(?:text|mathrm)\{[~\s]{0,8}([^{}~]*)\}$/g, ' $1')

/** Without the white space and the characters at its end. */
export const withoutTail = (text: string, characters: string): string => {
  let end = text.length
  while (end > 0 && (characters.includes(text[end - 1]!) || /\s/.test(text[end - 1]!))) end--
  return text.slice(0, end)
}

/** Takes away what only decorates an answer: emphasis, mathematics signs, `\text{…}`, the name of an unknown. */
const undecorated = (answer: string): string => {
  let bare = answer
  for (;;) {
    const next = choiceOf(withoutTail(plainText(bare).trimStart(), '.'))
      .replace(/^\$([^$]*)\$$/, '$1')
      .replace(/^\\\(([^()]*)\\\)$/, '$1')
      .replace(/^\\\[([^[\]]*)\\\]$/, '$1')
      .replace(/^(\*{1,3}|`)([^*`]*)\1$/, '$2')
      .replace(/^\\(?:text|mathrm|textbf)\{([^{}]*)\}$/, '$1')
      .replace(/^[a-z]\s*=\s*(?=[^=]*$)/i, '')
    if (next === bare) return bare
    bare = next
  }
}

const canonicalOnce = (answer: string): string => {
  const bare = undecorated(answer).toLowerCase().replaceAll(/\s+/g, ' ')
  return canonicalNumber(bare) ?? bare.replaceAll(/ ?([,;]) ?/g, '$1 ').trim()
}

/** Longer ones are neither numbers nor decorated, and cost too much to look through. */
const MOST_CHARACTERS = 1000

/** Equal answers have equal canonical forms: numbers, fractions, currency, units, case, spaces and decoration aside. */
export const canonicalAnswer = (answer: string): string => {
  if (answer.length > MOST_CHARACTERS) return answer.toLowerCase().trim().replaceAll(/\s+/g, ' ')
  let canonical = canonicalOnce(answer)
  for (let next = canonicalOnce(canonical); next !== canonical; next = canonicalOnce(next)) {
    canonical = next
  }
  return canonical
}
