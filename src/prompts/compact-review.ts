/** What small models say about solutions, and what it leaves of them. */
import type { Critique, Report } from '../core/prompts.ts'
import { isAnswer, linesOf, parse, withoutWork, type Solution } from './compact-solution.ts'

const CLEARED = /^all steps are right\b/i
const CORRECTED = /^Step (\d{1,3}) is wrong, it should be (.+)\.$/

/**
 * A line of the list before the verdict: the step as it should be, behind its number or the answer's mark, and what was
 * found.
 */
const LISTED = /^(?:(\d{1,3}) (.+)|(####.*)) (ok|wrong)$/

interface Listed {
  /** The step as the reviewer derives it, or the answer. */
  readonly line: string
  readonly isCalledWrong: boolean
}

const listed = (text: string): Listed | undefined => {
  const [, , step, answer, found] = LISTED.exec(text) ?? []
  if (found === undefined) return undefined
  return { line: withoutWork(step ?? answer!), isCalledWrong: found === 'wrong' }
}

/** The beginning of a review, as far as it is a list. */
const listOf = (lines: readonly string[]): readonly Listed[] => {
  const read = lines.map(listed)
  const end = read.indexOf(undefined)
  return (end < 0 ? read : read.slice(0, end)) as readonly Listed[]
}

const differing = (list: readonly Listed[], draft: string): number => {
  const shown = linesOf(draft)
  return list.findIndex(({ line }, index) => line !== shown[index])
}

/**
 * Index of the first step that the list derives otherwise than the draft has it, whatever it calls that step: these models
 * derive better than they compare. One that is called wrong without a difference counts where there is none; −1 without either.
 */
const firstWrong = (list: readonly Listed[], draft: string): number => {
  const at = differing(list, draft)
  return at >= 0 ? at : list.findIndex(({ isCalledWrong }) => isCalledWrong)
}

const trimmedLines = (text: string): readonly string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim())

/** The verdict follows the list; the list is left out, since refiners are shown verdicts alone. */
export const readReview = (text: string, draft: string): Critique => {
  const lines = trimmedLines(text)
  const list = listOf(lines)
  const at = firstWrong(list, draft)
  if (at >= 0) {
    const step = at + 1
    const said = `Step ${step} is wrong, it should be ${list[at]!.line}.`
    return { text: said, step, verdict: 'wrong' }
  }
  const verdict = lines.slice(list.length).join('\n')
  if (isCleared(verdict)) return { text: verdict, step: undefined, verdict: 'right' }
  const wrong = /^step (\d{1,3}) is wrong\b/i.exec(verdict)
  if (wrong === null) return { text: verdict, step: undefined, verdict: undefined }
  const step = Number(wrong[1])
  return { text: verdict, step: step >= 1 ? step : undefined, verdict: 'wrong' }
}

export const isCleared = (verdict: string): boolean => CLEARED.test(verdict)

/** These models know one kind of fault: a wrong step. */
export const readReport = (text: string, draft: string): Report => {
  const { verdict, ...found } = readReview(text, draft)
  const told = { right: 'pass', wrong: 'critical' } as const
  return { ...found, verdict: verdict === undefined ? undefined : told[verdict] }
}

/** Digit of a draft of which a list finds a step wrong: how far it is right by it, 0 to 4; undefined where it finds none. */
export const readPartial = (text: string, draft: string): number | undefined => {
  const at = firstWrong(listOf(trimmedLines(text)), draft)
  return at < 0 ? undefined : Math.min(4, Math.floor((5 * at) / (parse(draft).steps.length + 1)))
}

/** The draft up to the first step that a review derives otherwise, with what it derives; undefined where there is none. */
export const derived = (text: string, draft: string): Solution | undefined => {
  const list = listOf(trimmedLines(text))
  const at = differing(list, draft)
  const { steps } = parse(draft)
  return at < 0 || at >= linesOf(draft).length
    ? undefined
    : withLine(steps.slice(0, at), list[at]!.line)
}

/** The list of a review up to that step, which is put into it as the draft has it, and called right. */
export const standing = (text: string, draft: string): string => {
  const lines = trimmedLines(text)
  const at = differing(listOf(lines), draft)
  const shown = linesOf(draft)[at]!
  const line = `${isAnswer(shown) ? '' : `${at + 1} `}${shown} ok`
  return [...lines.slice(0, at), line].map((kept) => `${kept}\n`).join('')
}

const withLine = (steps: readonly string[], line: string): Solution =>
  isAnswer(line) ? { steps, answer: line } : { steps: [...steps, line], answer: '' }

/** The steps before the one that a review corrects, and the correction; undefined where it corrects no step of the solution. */
export const mended = ({ steps }: Solution, critique: string): Solution | undefined => {
  const [, number, line = ''] = CORRECTED.exec(critique) ?? []
  const step = Number(number)
  if (!(step >= 1 && step <= steps.length + 1)) return undefined
  return withLine(steps.slice(0, step - 1), line)
}
