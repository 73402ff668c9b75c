/**
 * `strip`, `lstrip` and `rstrip` of characters that a chat template names, such as `content.lstrip('\n')`. The renderer
 * takes off all white space whatever they are told, so calls with an argument become calls of functions given here.
 */
import type { Template } from '@huggingface/jinja'

const strip =
  (front: boolean, back: boolean) =>
  (text: unknown, named: unknown): string => {
    if (typeof text !== 'string' || typeof named !== 'string')
      throw new TypeError('only texts can be stripped, of the characters of a text')
    const [characters, gone] = [Array.from(text), new Set(named)]
    let [first, end] = [0, characters.length]
    while (front && first < end && gone.has(characters[first]!)) first++
    while (back && end > first && gone.has(characters[end - 1]!)) end--
    return characters.slice(first, end).join('')
  }

/** Under names that no template can have for its own. */
export const STRIPS = {
  ' strip': strip(true, true),
  ' lstrip': strip(true, false),
  ' rstrip': strip(false, true),
} as const

/** Any node of a parsed template; of calls and members these fields count. */
interface Node {
  readonly type?: string
  callee?: Node
  args?: readonly Node[]
  readonly object?: Node
  readonly property?: Node & { readonly value?: unknown }
  readonly computed?: boolean
}

const visit = (node: unknown): void => {
  if (typeof node !== 'object' || node === null) return
  for (const child of Object.values(node)) visit(child)
  const { type, callee, args = [] } = node as Node
  if (type !== 'CallExpression' || callee?.type !== 'MemberExpression' || callee.computed) return
  const name = ` ${String(callee.property?.value)}`
  if (args.length === 0 || !Object.hasOwn(STRIPS, name)) return
  const replaced = {
    callee: { type: 'Identifier', value: name },
    args: [callee.object!, ...args],
  }
  Object.assign(node, replaced)
}

/** Changes the template in place; it is rendered with `STRIPS` among what is given to it. */
export const withStrips = (template: Template): Template => {
  visit(template.parsed)
  return template
}
