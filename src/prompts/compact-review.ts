/** What small models say about solutions, and what it leaves of them. */
import type { Critique, Report } from '../core/prompts.ts'
import { isAnswer, withoutWork, type Solution } from './compact-solution.ts'

const CLEARED = /^all steps are right\b/i
const CORRECTED = /^Step (\d{1,3}) is wrong, it should be (.+)\.$/

/**
 * A line of the list before the verdict: the step as it should be, behind its number or the answer's mark, and what was
 * found.
 */
const LISTED = /^(?:(\d{1,3}) (.+)|(####.*)) (ok|wrong)$/

/** The first wrong step as the list has it, if it has one. */
const readList = (lines: readonly string[]): Critique | undefined => {
  const [, number, derived, answer, found] = LISTED.exec(lines.at(-1) ?? '') ?? []
  if (found !== 'wrong') return undefined
  const step = Number(number) || lines.length
  const right = withoutWork(derived ?? answer!)
  return { text: `Step ${step} is wrong, it should be ${right}.`, step, verdict: 'wrong' }
}

/**
 * The verdict follows the list; the list is left out, since refiners are shown verdicts alone. Where the list ends with a wrong
 * step, the step derived there is the correction: the sentence below it repeats the solution's own too often.
 */
export const readReview = (text: string): Critique => {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => line.trim())
  const verdictAt = lines.findIndex((line) => !LISTED.test(line))
  const listed = readList(verdictAt < 0 ? lines : lines.slice(0, verdictAt))
  if (listed !== undefined) return listed
  const trimmed = (verdictAt < 0 ? lines : lines.slice(verdictAt)).join('\n').trim()
  if (isCleared(trimmed)) {
    return { text: trimmed, step: undefined, verdict: 'right' }
  }
  const wrong = /^step (\d{1,3}) is wrong\b/i.exec(trimmed)
  if (wrong === null) return { text: trimmed, step: undefined, verdict: undefined }
  const step = Number(wrong[1])
  return { text: trimmed, step: step >= 1 ? step : undefined, verdict: 'wrong' }
}

export const isCleared = (verdict: string): boolean => CLEARED.test(verdict)

/** These models know one kind of fault: a wrong step. */
export const readReport = (text: string): Report => {
  const { verdict, ...found } = readReview(text)
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
