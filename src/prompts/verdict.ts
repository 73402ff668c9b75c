/** Reads verdicts from the replies of judges and critics: JSON, wherever in the reply it stands. */

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
      found = JSON.parse(text.slice(at, end))
      at = end - 1
    } catch {
      // Not JSON from here on: prose with brackets. A value may still start further right.
    }
  }
  return found
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const within = (value: unknown, maximum: number): value is number =>
  typeof value === 'number' && value >= 0 && value <= maximum

/** `{"score": s}` with s in [0, 9]. */
export const readScore = (text: string): number | undefined => {
  const value = lastJson(text)
  const score = isRecord(value) ? value['score'] : undefined
  return within(score, 9) ? score : undefined
}

/** `[p, …]` or `{"steps": [p, …]}`: exactly `steps` numbers in [0, 1]. */
export const readProbabilities = (text: string, steps: number): readonly number[] | undefined => {
  const value = lastJson(text)
  const list: unknown = isRecord(value) ? value['steps'] : value
  if (!Array.isArray(list) || list.length !== steps) return undefined
  const numbers = list.filter((entry): entry is number => within(entry, 1))
  return numbers.length === steps ? numbers : undefined
}
