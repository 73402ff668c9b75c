/** What small models say about solutions, and what it leaves of them. */
import type { Critique, Report } from '../core/prompts.ts'
import { isAnswer, linesOf, withoutWork, type Solution } from './compact-solution.ts'

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

/**
 * The first step that the reviewer derives otherwise than the draft has it, whatever it calls that step: it derives better
 * than it compares. One that it calls wrong without a difference counts where there is none.
 */
const firstWrong = (list: readonly Listed[], draft: string): Critique | undefined => {
  const shown = linesOf(draft)
  const differing = list.findIndex(({ line }, index) => line !== shown[index])
  const at = differing >= 0 ? differing : list.findIndex(({ isCalledWrong }) => isCalledWrong)
  if (at < 0) return undefined
  const step = at + 1
  const text = `Step ${step} is wrong, it should be ${list[at]!.line}.`
  return { text, step, verdict: 'wrong' }
}

/** The verdict follows the list; the list is left out, since refiners are shown verdicts alone. */
export const readReview = (text: string, draft: string): Critique => {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => line.trim())
  const list = listOf(lines)
  const found = firstWrong(list, draft)
  if (found !== undefined) return found
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

/** The steps before the one that a review corrects, and the correction; undefined where it corrects no step of the solution. */
export const mended = ({ steps }: Solution, critique: string): Solution | undefined => {
  const [, number, line = ''] = CORRECTED.exec(critique) ?? []
  const step = Number(number)
  if (!(step >= 1 && step <= steps.length + 1)) return undefined
  const kept = steps.slice(0, step - 1)
  return isAnswer(line) ? { steps: kept, answer: line } : { steps: [...kept, line], answer: '' }
}
