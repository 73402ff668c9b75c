/**
 * The wording of one question as a file: a system message, a line `---`, and what is asked, with placeholders such as
 * `{{task}}`. A paragraph may begin with `{{if name}}` or `{{unless name}}`, and one that consists of a placeholder is
 * left out where there is nothing to put in. Foreign text comes in framed (`material.ts`) and is never read as a
 * template itself.
 */
import { invalidField } from '../core/errors.ts'

/** What a question may and must show. */
export interface Question {
  readonly required: readonly string[]
  readonly optional?: readonly string[]
  /** False for a question without a system message of its own. */
  readonly hasSystem?: boolean
}

export interface Template {
  /** Undefined where the wording leaves the system message as it is. */
  readonly system: string | undefined
  readonly paragraphs: readonly string[]
}

export type Values = Readonly<Record<string, string | undefined>>

const RULE = /^---[ \t]*$/m
const PLACEHOLDER = /\{\{\s*(?:(if|unless)\s+)?([a-z_]+)\s*\}\}/g
const CONDITION = /^\{\{\s*(if|unless)\s+([a-z_]+)\s*\}\}\s*/

const braced = (names: readonly string[]): string => names.map((name) => `{{${name}}}`).join(', ')

const check = (body: string, { required, optional = [] }: Question, pointer: string): void => {
  const known = [...required, ...optional]
  const found = [...body.matchAll(PLACEHOLDER)]
  const stranger = found.find(([, , name]) => !known.includes(name!))?.[2]
  if (stranger !== undefined) {
    const list = known.length === 0 ? 'none' : braced(known)
    throw invalidField(pointer, `has an unknown placeholder {{${stranger}}}; there are: ${list}`)
  }
  const shown = found.filter(([, condition]) => condition === undefined).map(([, , name]) => name)
  const missing = required.filter((name) => !shown.includes(name))
  if (missing.length > 0) throw invalidField(pointer, `lacks ${braced(missing)}`)
}

/** @throws RefineError invalid_request naming the placeholder that is missing or unknown. */
export const parseTemplate = (text: string, question: Question, pointer: string): Template => {
  const rule = RULE.exec(text)
  const system = rule === null ? undefined : text.slice(0, rule.index).trim()
  const body = (rule === null ? text : text.slice(rule.index + rule[0].length)).trim()
  if (body === '') throw invalidField(pointer, 'asks nothing')
  if (system !== undefined && question.hasSystem === false) {
    throw invalidField(pointer, 'must not have a system message: the conversation keeps its own')
  }
  if (system !== undefined && system.includes('{{')) {
    throw invalidField(pointer, 'must not have a placeholder in its system message')
  }
  check(body, question, pointer)
  return { system, paragraphs: body.split(/\n{2,}/) }
}

const isKept = (paragraph: string, values: Values): boolean => {
  const [, condition, name] = CONDITION.exec(paragraph) ?? []
  if (name !== undefined) return (values[name] !== undefined) === (condition === 'if')
  const alone = /^\{\{\s*([a-z_]+)\s*\}\}$/.exec(paragraph)?.[1]
  return alone === undefined || values[alone] !== undefined
}

/** Puts the values in, each once: what looks like a placeholder in a value stays as it is. */
export const render = ({ paragraphs }: Template, values: Values): string =>
  paragraphs
    .filter((paragraph) => isKept(paragraph, values))
    .map((paragraph) =>
      paragraph
        .replace(CONDITION, '')
        .replaceAll(PLACEHOLDER, (_, __, name: string) => values[name] ?? ''),
    )
    .join('\n\n')
