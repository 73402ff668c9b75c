/**
 * The made-up arithmetic of the scripted model. Every question has a true answer and true intermediate values, all
 * derived from its text by a hash, so that anyone can check a draft without labels that a strategy could see.
 */
import { answerOf } from '../../core/answer.ts'
import { hashToUnit, type Random } from '../../core/random.ts'

/** How a solution comes about. */
export interface Craft {
  /** Steps before the final answer, at least 1. */
  readonly steps: number
  /** Probability that a whole solution is right. */
  readonly accuracy: number
  /** Number of different wrong answers, at least 1. */
  readonly wrongAnswers: number
}

const value = (question: string, step: number): number =>
  2 + Math.floor(hashToUnit(`step ${step} of\n${question}`) * 90)

/** The right answer to a question, an integer in [100, 1000). */
export const scriptedTruth = (question: string): number =>
  100 + Math.floor(hashToUnit(`answer to\n${question.trim()}`) * 900)

/** Whether the final answer of a draft is right. */
export const isRight = (question: string, draft: string): boolean =>
  answerOf(draft) === String(scriptedTruth(question))

const STEP = /^\s*(?:-|\d+[.)])\s+.*=\s*(-?\d+)\s*$/
const ANSWER = /^\s*####\s*-?\d+\s*$/

const resultsOf = (text: string): number[] =>
  text.split('\n').flatMap((line) => {
    const found = STEP.exec(line)
    return found === null ? [] : [Number(found[1])]
  })

/** Right values of step `step` (from 1): its own, or the final answer where it is the last. */
const fits = (question: string, step: number, last: boolean, result: number): boolean =>
  result === value(question, step) || (last && result === scriptedTruth(question))

/** Whether each step is right; one that follows a wrong one is wrong. Steps hold a result or the final answer. */
export const judgeSteps = (question: string, steps: readonly string[]): boolean[] => {
  const asked = question.trim()
  const numbers = steps.map((step) => Number(step.match(/-?\d+(?=\D*$)/)?.[0]))
  const isAnswer = steps.map((step) => step.includes('####'))
  let right = true
  return steps.map((_, index) => {
    const last = index === steps.length - 1 || isAnswer[index + 1] === true
    right &&= isAnswer[index]
      ? numbers[index] === scriptedTruth(asked)
      : fits(asked, index + 1, last, numbers[index] ?? NaN)
    return right
  })
}

/** Whether all is right of the steps that are there. */
export const isFine = (question: string, steps: string): boolean =>
  judgeSteps(question, steps.split('\n')).at(-1) === true

/** First wrong step of a draft, counted from 1, and what it should have come to; undefined when the draft is right. */
export const firstMistake = (
  question: string,
  draft: string,
): { readonly step: number; readonly expected: number } | undefined => {
  if (isRight(question, draft)) return undefined
  const asked = question.trim()
  const results = resultsOf(draft)
  const at = results.findIndex((result, index) => !fits(asked, index + 1, false, result))
  const step = at < 0 ? Math.max(1, results.length) : at + 1
  const expected = step === results.length ? scriptedTruth(asked) : value(asked, step)
  return { step, expected }
}

/** Number of steps in a draft. */
export const countSteps = (draft: string): number => resultsOf(draft).length

const operation = (difference: number): string =>
  difference < 0 ? `- ${-difference}` : `+ ${difference}`

/**
 * Writes what follows `written` (steps so far, possibly none). A right solution is as likely as `craft.accuracy`
 * says: each step keeps a right course with the n-th root of it, and a mistake is never made good.
 */
const writeRest = (question: string, written: string, craft: Craft, random: Random): string => {
  const truth = scriptedTruth(question)
  const ideal = (step: number): number => (step < craft.steps ? value(question, step) : truth)
  const results = resultsOf(written)
  const keeps = craft.accuracy ** (1 / craft.steps)
  const lines: string[] = []
  let current = results.at(-1) ?? value(question, 0)
  const isOnCourse = results.length === 0 || fits(question, results.length, true, current)
  let offset = isOnCourse ? 0 : current - ideal(results.length)
  for (let step = results.length + 1; step <= craft.steps; step++) {
    const difference = ideal(step) - (current - offset)
    if (offset === 0 && random.next() >= keeps) offset = 1 + random.integer(craft.wrongAnswers)
    const result = ideal(step) + offset
    lines.push(`- ${current} ${operation(difference)} = ${result}`)
    current = result
  }
  return [...lines, `#### ${current}`].join('\n')
}

/** What the model writes after `written`: the rest of a solution, nothing after a final answer. */
export const writeSolution = (
  question: string,
  written: string,
  craft: Craft,
  random: Random,
  rethought: (right: boolean) => number,
): string => {
  const asked = question.trim()
  const lead = written === '' || written.endsWith('\n') ? '' : '\n'
  const lines = written.trimEnd().split('\n')
  const last = lines.at(-1) ?? ''
  if (ANSWER.test(last)) return ''
  // Words after an answer, such as "Wait, let me check", make the model start again.
  if (lines.some((line) => ANSWER.test(line))) {
    const accuracy = rethought(isRight(asked, written))
    return lead + writeRest(asked, '', { ...craft, accuracy }, random)
  }
  const rest = writeRest(asked, written, craft, random)
  return last.trim() === '####' ? rest.slice(rest.lastIndexOf('####') + '####'.length) : lead + rest
}
