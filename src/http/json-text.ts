/** JSON from outside, with a limit on nesting: what is parsed without recursion would overflow the stack when written. */
import { invalidField } from '../core/errors.ts'

const MAX_DEPTH = 64

const isTooDeep = (text: string): boolean => {
  let depth = 0
  let isString = false
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]
    if (isString) {
      if (sign === '\\') at++
      else if (sign === '"') isString = false
    } else if (sign === '"') isString = true
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
