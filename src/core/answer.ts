/**
 * Finds the final answer in a text. No model takes part. Order: what stands behind a model's thinking, and there
 * `\boxed{…}`, a line that begins with `####` and is no heading, "answer is/: …" or the line below it, a formula of one
 * line, else the last number, the only line of a one-line text.
 */
import { canonicalAnswer, canonicalNumber, narrow, withoutTail } from './canonical-answer.ts'
import { withoutThinking } from './thinking.ts'

/** What is longer is no answer but a sentence about it. */
const MOST_CHARACTERS = 64

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

const SIGNED = '(?:[-−](?=[$€£]?\\.?\\d))?[$€£]?'
const INTEGER = '(?:\\d{1,3}(?:[,_ \\u00A0\\u2009\\u202F]\\d{3}){1,8}(?!\\d)|\\d+)'
const NUMBER = new RegExp(
  `${SIGNED}(?:\\d+ (?=\\d+/\\d))?(?:${INTEGER}(?:\\.\\d+)?|\\.\\d+)(?:e[-+]?\\d+)?(?:\\s*/\\s*\\d+)?%?`,
  'gi',
)

/** A minus that follows a digit or a word is an operator, not a sign. */
const lastNumber = (text: string): string | undefined => {
  let found: string | undefined
  for (const match of text.matchAll(NUMBER)) {
    const isOperator = /^[-−]/.test(match[0]) && /[\w)]/.test(text[match.index - 1] ?? '')
    found = isOperator ? match[0].slice(1) : match[0]
  }
  return found
}

const oneLine = (text: string): string | undefined => {
  const trimmed = text.trim()
  return trimmed !== '' && !trimmed.includes('\n') && trimmed.length <= MOST_CHARACTERS
    ? trimmed
    : undefined
}

/** A text that is one formula with a letter in it: its last number would say little. */
const formula = (text: string): string | undefined => {
  const line = oneLine(text)
  if (line === undefined || /[=:/]|(?<!\\)\b[a-z]{2}/i.test(line)) return undefined
  return /[a-z]/i.test(line) && /[\w)}]\s*[-+*^]\s*[\w({\\]/.test(line) ? line : undefined
}

/** Longest line in which a stated answer is looked for. */
const MAX_LINE = 1000

/** What follows "answer is" or "answer:", or the last "is" or ":" after the word, in one line. */
const behindWord = (line: string): string | undefined => {
  const rest = /\banswer\b(.*)$/i.exec(line)?.[1]
  if (rest === undefined) return undefined
  return (
    /^(?:\W*\bis\b|[\s*]*[:=])[\s*:=]*(\S.*)$/i.exec(rest)?.[1] ??
    /^.*(?:\bis\b|[:=])[\s*]*([^\s*].*)$/i.exec(rest)?.[1] ??
    /^\s+(\(?[A-Z]\)?|\S*\d\S*)\s*$/.exec(rest)?.[1]
  )
}

/** Ends of sentences, but for those behind initials and short abbreviations. */
const SENTENCE_END = /(?<=[^\s.!?]{5}|\d|\b(?:yes|no|true|none)|[)\]}$*`"%])[.!?]\s/i
const REASON = /,?\s{1,8}(?:because|since)\b|,\s{1,8}(?:which|as|so|where)\b/i

/** The answer at the beginning of what was stated; of a sentence the number in it. */
const trimmed = (said: string): string => {
  const [first = ''] = said.split(SENTENCE_END)
  const [found = ''] = first.split(REASON)
  const answer = withoutTail(found.trimStart(), '*.!')
  const isSentence = answer.length > MOST_CHARACTERS || answer.split(/\s+/).length >= 5
  return isSentence && !/^\W*(?:\d|[a-z][).:])/i.test(answer)
    ? (lastNumber(answer) ?? answer)
    : answer
}

const statedIn = (line: string): string | undefined => {
  let found = behindWord(line)
  for (let next = found; next !== undefined; next = behindWord(next)) found = next
  const answer = found === undefined ? '' : trimmed(found)
  return answer === '' ? undefined : answer
}

/** "**Answer:**" and "### Final answer" announce the line below them. */
const ANNOUNCEMENT = /^(?:[#*_\s]*)[\w\s]{0,32}\banswer\b[*_\s]*(?:is|[:=])?[*_\s:]*$/i

const isNumber = (line: string): boolean => canonicalNumber(canonicalAnswer(line)) !== undefined

/** The last answer that is stated. The line below an announcement has to be the last one, or a number. */
const stated = (lines: readonly string[]): string | undefined => {
  for (let at = lines.length - 1; at >= 0; at--) {
    const found = statedIn(lines[at]!)
    if (found !== undefined) return found
    const below = lines[at + 1]
    if (below === undefined || !ANNOUNCEMENT.test(lines[at]!)) continue
    if (at + 2 === lines.length || isNumber(below)) return trimmed(below)
  }
  return undefined
}

/** The last line behind `####` that is a number, or the last one of all; others are headings of Markdown. */
const marked = (lines: readonly string[]): string | undefined => {
  for (let at = lines.length - 1; at >= 0; at--) {
    const found = /^\s*####(?!#)\s*(\S.*)$/.exec(lines[at]!)?.[1]
    if (found === undefined) continue
    if (at === lines.length - 1) return statedIn(found) ?? found
    if (found.length <= MOST_CHARACTERS && isNumber(found)) return found
  }
  return undefined
}

const find = (text: string): string | undefined => {
  const lines = text.split('\n').filter((line) => line.length <= MAX_LINE && line.trim() !== '')
  const found =
    (boxed(text)?.trim() || undefined) ??
    marked(lines) ??
    stated(lines) ??
    formula(text) ??
    lastNumber(text) ??
    oneLine(text)
  return found?.trim() || undefined
}

/** The final answer as it stands in the text, or undefined when none can be found. */
export const extractAnswer = (text: string): string | undefined => {
  const whole = narrow(text)
  const said = withoutThinking(whole)
  return find(said) ?? (said === whole.trim() ? undefined : find(whole))
}

/** Canonical form of the final answer of a text, or undefined when the text has none. */
export const answerOf = (text: string): string | undefined => {
  const found = extractAnswer(text)
  return found === undefined ? undefined : canonicalAnswer(found)
}
