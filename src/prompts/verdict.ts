/** Reads verdicts from the replies of judges, reviewers and critics. */
import type { Critique, Report } from '../core/prompts.ts'
import { isRecord } from '../core/validation.ts'

/** End of the JSON value that starts at `start`, by brackets outside strings; -1 when it is not closed. */
const endOfValue = (text: string, start: number): number => {
  let depth = 0
  let quoted = false
  for (let at = start; at < text.length; at++) {
    const character = text[at]!
    if (quoted) {
      if (character === '\\') at++
      else if (character === '"') quoted = false
    } else if (character === '"') quoted = true
    else if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) return at + 1
  }
  return -1
}

/** JSON as models write it: LaTeX with single backslashes and line breaks inside of strings are taken as they stand. */
const parseWritten = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    const mended = text
      .replaceAll(/\\(["\\/bfnrt]|u[0-9a-fA-F]{4})|\\/g, (found, known) => (known ? found : '\\\\'))
      .replaceAll(/\s/g, ' ')
    return JSON.parse(mended) as unknown
  }
}

/**
 * The last complete JSON object or list at the top level of a reply; what stands in strings or inside another value
 * does not count, so a verdict that quotes the candidate cannot be mistaken for it. Undefined when there is none.
 */
export const lastJson = (text: string): unknown => {
  let found: unknown
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '{' && text[at] !== '[') continue
    const end = endOfValue(text, at)
    if (end < 0) continue
    try {
      found = parseWritten(text.slice(at, end))
      at = end - 1
    } catch {
      // Not JSON from here on: prose with brackets. A value may still start further right.
    }
  }
  return found
}

const within = (value: unknown, maximum: number): value is number =>
  typeof value === 'number' && value >= 0 && value <= maximum

/** `{"score": s}` with s in [0, 9]. */
export const readScore = (text: string): number | undefined => {
  const value = lastJson(text)
  const score = isRecord(value) ? value['score'] : undefined
  return within(score, 9) ? score : undefined
}

/** `[s, …]` or the list under `field`: exactly `count` numbers in [0, maximum]. */
const readNumbers = (
  text: string,
  field: string,
  count: number,
  maximum: number,
): readonly number[] | undefined => {
  const value = lastJson(text)
  const list: unknown = isRecord(value) ? value[field] : value
  if (!Array.isArray(list) || list.length !== count) return undefined
  const numbers = list.filter((entry): entry is number => within(entry, maximum))
  return numbers.length === count ? numbers : undefined
}

/** `{"scores": [s, …]}` or the list alone: exactly `count` numbers in [0, 9]. */
export const readGrades = (text: string, count: number): readonly number[] | undefined =>
  readNumbers(text, 'scores', count, 9)

/** `[p, …]` or `{"steps": [p, …]}`: exactly `steps` numbers in [0, 1]. */
export const readProbabilities = (text: string, steps: number): readonly number[] | undefined =>
  readNumbers(text, 'steps', steps, 1)

/** The last one that says anything, without the marks of Markdown. */
const lastLine = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replaceAll(/[*_`#>]/g, '').trim())
    .findLast((line) => line !== '') ?? ''

/** Only the last line of the reviewer's reply counts, so that a quotation from the answer never does. */
export const readReview = (text: string): Critique => {
  const trimmed = text.trim()
  const verdict =
    /^verdict\s*:\s*(?:(all steps are (?:right|correct))|step (\d{1,3}) is (?:wrong|incorrect))\b/i.exec(
      lastLine(trimmed),
    )
  if (verdict === null) return { text: trimmed, step: undefined, verdict: undefined }
  if (verdict[1] !== undefined) return { text: trimmed, step: undefined, verdict: 'right' }
  const step = Number(verdict[2])
  return { text: trimmed, step: step >= 1 ? step : undefined, verdict: 'wrong' }
}

/** Only the last line counts, so that a quotation from the answer never does. */
export const readReport = (text: string): Report => {
  const trimmed = text.trim()
  const found =
    /^verdict\s*:\s*(?:(complete and correct)|(critical error|justification gap)(?: in step (\d{1,3}))?)\W*$/i.exec(
      lastLine(trimmed),
    )
  if (found === null) return { text: trimmed, step: undefined, verdict: undefined }
  if (found[1] !== undefined) return { text: trimmed, step: undefined, verdict: 'pass' }
  const verdict = found[2]!.toLowerCase() === 'critical error' ? 'critical' : 'gap'
  const step = Number(found[3] ?? 0)
  return { text: trimmed, step: step >= 1 ? step : undefined, verdict }
}

/** Only the first word counts, behind "answer" where it names one of the two. */
export const readComparison = (text: string): 'first' | 'second' | 'tie' | undefined => {
  const word = /^[\s*_`"'([<]*(?:answer[\s_:]*)?(A|B|tie)\b/i.exec(text)?.[1]?.toLowerCase()
  return word === undefined ? undefined : word === 'tie' ? 'tie' : word === 'a' ? 'first' : 'second'
}

/** Only a number at the very beginning counts, so that a reply that quotes a candidate names nothing. */
export const readSelection = (text: string, drafts: number): number | undefined => {
  const number = /^[\s*_`"'([<]*(?:answer[\s_:#]*)?(\d{1,3})(?![\d.,]*\d)/i.exec(text)?.[1]
  const index = Number(number ?? 0) - 1
  return index >= 0 && index < drafts ? index : undefined
}

/** Only the first word counts. */
export const readHalt = (text: string): boolean | undefined => {
  const word = /^[\s*_`"'([]*(stop|continue)\b/i.exec(text)?.[1]?.toLowerCase()
  return word === undefined ? undefined : word === 'stop'
}
