/** JSON from outside, with a limit on nesting: what is parsed without recursion would overflow the stack when written. */
import { invalidField } from '../core/errors.ts'

const MAX_DEPTH = 64

/** Where the string that begins at the quote ends; images are long ones, so most of it is not looked at. */
const endOfString = (text: string, quote: number): number => {
  for (let end = text.indexOf('"', quote + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text[end - 1 - escapes] === '\\') escapes++
    if (escapes % 2 === 0) return end
  }
  return text.length
}

const isTooDeep = (text: string): boolean => {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]
    if (sign === '"') at = endOfString(text, at)
    else if (sign === '{' || sign === '[') {
      if (++depth > MAX_DEPTH) return true
    } else if (sign === '}' || sign === ']') depth--
  }
  return false
}

/** @throws RefineError invalid_request when the text is nested more than 64 levels deep. */
export const checkDepth = (text: string, pointer = ''): void => {
  if (!isTooDeep(text)) return
  const told = `nested more than ${MAX_DEPTH} levels deep`
  throw invalidField(pointer, pointer === '' ? `The JSON is ${told}` : `is ${told}`)
}
