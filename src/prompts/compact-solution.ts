/** Solutions as small models write them and are shown them: a line a step, and an answer line. */
import { withoutControls } from './material.ts'

/** Lines beyond this many are joined to the last step, which bounds prompts and score vectors. */
const MAX_STEPS = 64
const ANSWER = /^####/
/** What a refinement makes a long result of, digit by digit; roles that read it are shown the result alone. */
const WORKED = /= [\d ]+ = /

export const isAnswer = (line: string): boolean => ANSWER.test(line)

export const withoutWork = (step: string): string => step.replace(WORKED, '= ')

/** The steps without their marks, and the answer line, empty where there is none. */
export interface Solution {
  readonly steps: readonly string[]
  readonly answer: string
}

export const parse = (draft: string): Solution => {
  const lines = withoutControls(draft)
    .split('\n')
    .map((line) => line.trim())
  const answer = lines.findLast(isAnswer) ?? ''
  const steps = lines
    .filter((line) => line !== '' && !isAnswer(line))
    .map((line) => line.replace(/^(?:[-*•]|\d+[.)])\s+/, ''))
    .map(withoutWork)
  const kept = steps.slice(0, MAX_STEPS - 1)
  const rest = steps.slice(MAX_STEPS - 1).join(' ')
  return { steps: rest === '' ? kept : [...kept, rest], answer }
}

const withAnswer = (steps: readonly string[], answer: string): readonly string[] =>
  answer === '' ? steps : [...steps, answer]

export const marked = (
  { steps, answer }: Solution,
  mark: (step: number) => string,
): readonly string[] =>
  withAnswer(
    steps.map((step, index) => `${mark(index + 1)} ${step}`),
    answer,
  )

export const linesOf = (draft: string): readonly string[] => {
  const { steps, answer } = parse(draft)
  return withAnswer(steps, answer)
}

export const withMarks = (draft: string, mark: (step: number) => string): readonly string[] =>
  marked(parse(draft), mark)

export const byNumber = (step: number): string => `${step}.`
export const bullets = (draft: string): string => withMarks(draft, () => '-').join('\n')
export const numbered = (draft: string): string => withMarks(draft, byNumber).join('\n')
