/**
 * Role prompts for small models trained on fixed formats (`models/pebble/README.md`): the system message is the name of
 * the role and nothing else, drafts are bullets, reviews name one step. Only the last user message is shown: these
 * models know no conversations. A review derives each step anew, compares, and only then gives its verdict. A
 * candidate is brought to one line a step, each with its own mark, so that no line of it can pose as a review, as another
 * candidate or as a new part of the prompt.
 */
import { RefineError } from '../core/errors.ts'
import type { JudgePrompt, Prompt, RolePrompts, SecondLook } from '../core/prompts.ts'
import { imagesOf } from '../core/conversation.ts'
import { questionOf, type Message, type Task } from '../core/task.ts'
import {
  derived,
  isCleared,
  mended,
  readPartial,
  readReport,
  readReview,
  standing,
} from './compact-review.ts'
import {
  bullets,
  byNumber,
  linesOf,
  marked,
  numbered,
  parse,
  withoutWork,
  withMarks,
} from './compact-solution.ts'
import { hashWording } from './wording-hash.ts'

/** Tokens of a refinement, of a review and of a judgement, which work long results out: those of problems of a dozen steps. */
const REFINEMENT_TOKENS = 1024
const REVIEW_TOKENS = 1024
const SOLUTION_TOKENS = 512
/** One line worked out, and a letter. */
const COMPARISON_TOKENS = 128
/** What candidates are called in the order in which they are shown: no more of them were ever trained on. */
const LETTERS = 'ABCDEFGH'

const ask = (role: string, task: Task, ...parts: readonly string[]): readonly Message[] => [
  { role: 'system', content: role },
  {
    role: 'user',
    content: [questionOf(task), ...parts].filter((part) => part !== '').join('\n\n'),
  },
]

/** The steps that an answer is given to begin with. */
const beginning = (steps: readonly string[]): Pick<Prompt, 'continueFrom'> =>
  steps.length === 0 ? {} : { continueFrom: steps.map((step) => `- ${step}\n`).join('') }

/**
 * A refiner repeats what it is shown and goes on to the answer. So it is shown what a review leaves of the draft, and its
 * answer begins with that: one that saw a wrong step, or wrote a right one anew, wrote what it would have written itself.
 */
const refine = (task: Task, draft: string, critique = ''): Prompt => {
  const [verdict = '', ...advice] = critique.trim().split('\n')
  const solution = parse(draft)
  const corrected = mended(solution, verdict)
  const isRead = corrected !== undefined || isCleared(verdict)
  const { steps, answer } = corrected ?? solution
  const shown = marked({ steps, answer }, byNumber).join('\n')
  return {
    messages: ask('refine', task, shown, (isRead ? advice : [verdict, ...advice]).join('\n')),
    maxTokens: REFINEMENT_TOKENS,
    ...(isRead ? beginning(steps) : {}),
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

/**
 * What is the same is shown once, and the answer begins with the steps that all have: a small model that is to repeat all of
 * several long solutions breaks off.
 */
const aggregate = (task: Task, drafts: readonly string[]): Prompt => {
  const different = [...new Set(drafts.map(bullets))]
  const [first = [], ...others] = different.map((draft) => parse(draft).steps)
  const end = first.findIndex((step, index) => others.some((steps) => steps[index] !== step))
  return {
    messages: ask('aggregate', task, ...candidates(different)),
    maxTokens: SOLUTION_TOKENS,
    ...beginning(end < 0 ? first : first.slice(0, end)),
  }
}

const readSelection = (text: string, drafts: number): number | undefined => {
  const letter = /^\s*([A-H])\b/.exec(text)?.[1]
  const index = letter === undefined ? -1 : LETTERS.indexOf(letter)
  return index >= 0 && index < drafts ? index : undefined
}

/** A judge lists the steps as a reviewer does, then gives its digit, alone on the last line. */
const judgeDigit = (task: Task, draft: string): JudgePrompt => ({
  messages: ask('judge', task, numbered(draft)),
  maxTokens: REVIEW_TOKENS,
  digitAt: 'end',
})

const lastLine = (text: string): string => text.trim().split('\n').at(-1)!.trim()

/** What the list finds counts before the digit below it, as in a review. */
const readDigit = (text: string, draft: string): number | undefined => {
  const partial = readPartial(text, draft)
  if (partial !== undefined) return partial
  const line = lastLine(text)
  return /^\d$/.test(line) ? Number(line) : undefined
}

/** The steps that two solutions share, and the line of each at which they part; their last one where they do not. */
const part = (first: string, second: string) => {
  const [lines, others] = [linesOf(first), linesOf(second)]
  const longest = Math.max(lines.length, others.length)
  let parted = 0
  while (parted < longest - 1 && lines[parted] === others[parted]) parted += 1
  return { shared: lines.slice(0, parted), lines: [lines[parted], others[parted]] as const }
}

/** A small model that has to find where two long solutions part finds little else: it is shown where. */
const compare = (task: Task, first: string, second: string): Prompt => {
  const { shared, lines } = part(first, second)
  const common = marked({ steps: shared, answer: '' }, byNumber).join('\n')
  const sides = lines.map((line = '', side) => `${LETTERS[side]}. ${line}`.trimEnd()).join('\n')
  return { messages: ask('compare', task, common, sides), maxTokens: COMPARISON_TOKENS }
}

/**
 * The reply is that line as it should be, then the letter of the solution that has it. What is derived counts before the letter:
 * these models derive better than they compare.
 */
const readComparison = (
  text: string,
  first: string,
  second: string,
): 'first' | 'second' | undefined => {
  const [one, other] = part(first, second).lines
  const derived = withoutWork(text.trim().split('\n').slice(0, -1).join('\n').trim())
  if (one !== other && derived === one) return 'first'
  if (one !== other && derived === other) return 'second'
  const letter = lastLine(text)
  return letter === 'A' ? 'first' : letter === 'B' ? 'second' : undefined
}

/** The draft up to the step in doubt, as the reviewer would have it. */
const otherwise = (draft: string, review: string): string | undefined => {
  const other = derived(review, draft)
  return other && marked(other, () => '-').join('\n')
}

/** A comparison of the draft's step, which comes first, with the one derived. */
const secondLook: SecondLook = {
  ask: (task, draft, review) => {
    const other = otherwise(draft, review)
    return other === undefined ? undefined : compare(task, draft, other)
  },
  standing: (reply, draft, review) => {
    const other = otherwise(draft, review)
    return other !== undefined && readComparison(reply, draft, other) === 'first'
      ? standing(review, draft)
      : undefined
  },
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
  secondLook,
  refine,
  judgeDigit,
  judgeVerdict: () => undefined,
  readVerdict: readDigit,
  compare,
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
