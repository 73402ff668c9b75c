/**
 * Role prompts for small models trained on fixed formats (`models/pebble/README.md`): the system message is the name of
 * the role and nothing else, drafts are bullets, reviews name one step. Only the last user message is shown: these
 * models know no conversations. A review derives each step anew, compares, and only then gives its verdict. A
 * candidate is brought to one line a step, each with its own mark, so that no line of it can pose as a review, as another
 * candidate or as a new part of the prompt.
 */
import { RefineError } from '../core/errors.ts'
import type { Critique, Prompt, Report, RolePrompts } from '../core/prompts.ts'
import { imagesOf } from '../core/conversation.ts'
import { questionOf, type Message, type Task } from '../core/task.ts'
import { withoutControls } from './material.ts'
import { hashWording } from './wording-hash.ts'

/** Lines beyond this many are joined to the last step, which bounds prompts and score vectors. */
const MAX_STEPS = 64
const ANSWER = /^####/
/** Tokens of a refinement and of a review, which work long results out: those of problems of a dozen steps. */
const REFINEMENT_TOKENS = 640
const REVIEW_TOKENS = 640
const SOLUTION_TOKENS = 448
/** What a refinement makes a long result of, digit by digit; roles that read it are shown the result alone. */
const WORKED = /= [\d ]+ = /
/** What candidates are called in the order in which they are shown: no more of them were ever trained on. */
const LETTERS = 'ABCDEFGH'

const ask = (role: string, task: Task, ...parts: readonly string[]): readonly Message[] => [
  { role: 'system', content: role },
  {
    role: 'user',
    content: [questionOf(task), ...parts].filter((part) => part !== '').join('\n\n'),
  },
]

/** The steps without their marks, and the answer line, empty where there is none. */
interface Solution {
  readonly steps: readonly string[]
  readonly answer: string
}

const parse = (draft: string): Solution => {
  const lines = withoutControls(draft)
    .split('\n')
    .map((line) => line.trim())
  const answer = lines.findLast((line) => ANSWER.test(line)) ?? ''
  const steps = lines
    .filter((line) => line !== '' && !ANSWER.test(line))
    .map((line) => line.replace(/^(?:[-*•]|\d+[.)])\s+/, '').replace(WORKED, '= '))
  const kept = steps.slice(0, MAX_STEPS - 1)
  const rest = steps.slice(MAX_STEPS - 1).join(' ')
  return { steps: rest === '' ? kept : [...kept, rest], answer }
}

const marked = ({ steps, answer }: Solution, mark: (step: number) => string): string[] => {
  const lines = steps.map((step, index) => `${mark(index + 1)} ${step}`)
  return answer === '' ? lines : [...lines, answer]
}

const withMarks = (draft: string, mark: (step: number) => string): string[] =>
  marked(parse(draft), mark)

const byNumber = (step: number): string => `${step}.`
const bullets = (draft: string): string => withMarks(draft, () => '-').join('\n')
const numbered = (draft: string): string => withMarks(draft, byNumber).join('\n')

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
  const right = (derived ?? answer!).replace(WORKED, '= ')
  return { text: `Step ${step} is wrong, it should be ${right}.`, step, verdict: 'wrong' }
}

/**
 * The verdict follows the list; the list is left out, since refiners are shown verdicts alone. Where the list ends with a wrong
 * step, the step derived there is the correction: the sentence below it repeats the solution's own too often.
 */
const readReview = (text: string): Critique => {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => line.trim())
  const verdictAt = lines.findIndex((line) => !LISTED.test(line))
  const listed = readList(verdictAt < 0 ? lines : lines.slice(0, verdictAt))
  if (listed !== undefined) return listed
  const trimmed = (verdictAt < 0 ? lines : lines.slice(verdictAt)).join('\n').trim()
  if (CLEARED.test(trimmed)) {
    return { text: trimmed, step: undefined, verdict: 'right' }
  }
  const wrong = /^step (\d{1,3}) is wrong\b/i.exec(trimmed)
  if (wrong === null) return { text: trimmed, step: undefined, verdict: undefined }
  const step = Number(wrong[1])
  return { text: trimmed, step: step >= 1 ? step : undefined, verdict: 'wrong' }
}

/** These models know one kind of fault: a wrong step. */
const readReport = (text: string): Report => {
  const { verdict, ...found } = readReview(text)
  const told = { right: 'pass', wrong: 'critical' } as const
  return { ...found, verdict: verdict === undefined ? undefined : told[verdict] }
}

/** The steps before the one that a review corrects, and the correction; undefined where it corrects no step of the solution. */
const mended = ({ steps }: Solution, critique: string): Solution | undefined => {
  const [, number, line = ''] = CORRECTED.exec(critique) ?? []
  const step = Number(number)
  if (!(step >= 1 && step <= steps.length + 1)) return undefined
  const kept = steps.slice(0, step - 1)
  return ANSWER.test(line) ? { steps: kept, answer: line } : { steps: [...kept, line], answer: '' }
}

/**
 * A refiner repeats what it is shown and goes on to the answer. So it is shown what a review leaves of the draft, and its
 * answer begins with that: one that saw a wrong step, or wrote a right one anew, wrote what it would have written itself.
 */
const refine = (task: Task, draft: string, critique = ''): Prompt => {
  const [verdict = '', ...advice] = critique.trim().split('\n')
  const solution = parse(draft)
  const corrected = mended(solution, verdict)
  const isRead = corrected !== undefined || CLEARED.test(verdict)
  const { steps, answer } = corrected ?? solution
  const shown = marked({ steps, answer }, byNumber).join('\n')
  const begun = marked({ steps, answer: '' }, () => '-').map((line) => `${line}\n`)
  return {
    messages: ask('refine', task, shown, (isRead ? advice : [verdict, ...advice]).join('\n')),
    maxTokens: REFINEMENT_TOKENS,
    ...(isRead && begun.length > 0 ? { continueFrom: begun.join('') } : {}),
  }
}

/** @throws RefineError unsupported_capability for more candidates than there are letters. */
const candidates = (drafts: readonly string[]): readonly string[] => {
  if (drafts.length > LETTERS.length) {
    throw new RefineError(
      'unsupported_capability',
      `The compact prompts show at most ${LETTERS.length} candidates at once, not ${drafts.length}: ask for fewer, or name a model with full prompts for this role.`,
    )
  }
  return drafts.map((draft, index) => `${LETTERS[index]}:\n${bullets(draft)}`)
}

const aggregate = (task: Task, drafts: readonly string[]): Prompt => ({
  messages: ask('aggregate', task, ...candidates(drafts)),
  maxTokens: SOLUTION_TOKENS,
})

const readSelection = (text: string, drafts: number): number | undefined => {
  const letter = /^\s*([A-H])\b/.exec(text)?.[1]
  const index = letter === undefined ? -1 : LETTERS.indexOf(letter)
  return index >= 0 && index < drafts ? index : undefined
}

const readDigit = (text: string): number | undefined => {
  const digit = /^\s*(\d)(?!\d|[.,]\d)/.exec(text)
  return digit === null ? undefined : Number(digit[1])
}

const readComparison = (text: string): 'first' | 'second' | undefined => {
  const letter = /^\s*([AB])\b/.exec(text)?.[1]
  return letter === undefined ? undefined : letter === 'A' ? 'first' : 'second'
}

const prompts: Omit<RolePrompts, 'hash'> = {
  name: 'compact',
  // None of the trained ones takes tools or images; one that does needs what was called and shown.
  solve: (task) =>
    task.tools === undefined && imagesOf(task.messages).length === 0
      ? ask('solve', task)
      : [
          { role: 'system', content: 'solve' },
          ...task.messages.filter(({ role }) => role !== 'system'),
        ],
  review: (task, draft) => ({
    messages: ask('review', task, numbered(draft)),
    maxTokens: REVIEW_TOKENS,
  }),
  readReview,
  refine,
  judgeDigit: (task, draft) => ({ messages: ask('judge', task, bullets(draft)), maxTokens: 1 }),
  judgeVerdict: () => undefined,
  readVerdict: readDigit,
  compare: (task, first, second) => ({
    messages: ask('compare', task, ...candidates([first, second])),
    maxTokens: 1,
  }),
  readComparison,
  splitSteps: (draft) => withMarks(draft, () => '-'),
  verify: (task) => ask('verify', task),
  verifyVerdict: () => undefined,
  readStepVerdict: () => undefined,
  verifyReport: (task, draft) => prompts.review(task, draft),
  readReport,
  aggregate,
  // These models know one way of making a solution out of others.
  synthesise: aggregate,
  select: (task, drafts) => ({
    messages: ask('select', task, ...candidates(drafts)),
    maxTokens: 1,
  }),
  readSelection,
  readHalt: () => undefined,
  reflection: '\nCheck it again.\n',
  answerCue: '\n#### ',
}

export const COMPACT: RolePrompts = { ...prompts, hash: hashWording(prompts) }
