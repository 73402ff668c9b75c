/**
 * Role prompts for general chat models. Guard rails from the literature: drafts are shown as another author's work
 * (models overlook their own errors, Tsui 2025), the question is restated and nobody is told to be wrong without a
 * reason (sycophantic flips, Huang et al. 2023), reviewers must locate the first error (Tyen et al. 2024), judges see
 * neither names nor round numbers. Foreign text stands between tags it cannot contain (`material.ts`).
 */
import type { Attempt, Critique, Prompt, RolePrompts } from '../core/prompts.ts'
import type { Task } from '../core/task.ts'
import {
  aggregate,
  critique,
  halt,
  paraphrase,
  readHalt,
  readReport,
  readSelection,
  select,
  solveBy,
  synthesise,
  verifyReport,
} from './candidates.ts'
import { askAs, frame, numbered, splitText, taskText } from './material.ts'
import { readProbabilities, readScore } from './verdict.ts'
import { hashWording } from './wording-hash.ts'

const REVIEWER = 'You check answers that other people wrote. You are exact, fair and brief.'
const REVIEW_REQUEST = `Check the steps of the answer in their order against the task. For each step that is wrong, say its number, what is wrong and how to put it right; do not write a new answer. A correct answer needs no remarks: style does not count. End with one line of its own, and nothing after it:
Verdict: all steps are right
or, with the number of the first wrong step:
Verdict: step 2 is wrong`
const SCORE_NOTE =
  'The number in brackets is how likely an automatic checker finds the step right, from 0 to 1. It may err; steps below 0.6 deserve attention.'

const review = (task: Task, draft: string, stepScores?: readonly number[]): Prompt => ({
  messages: askAs(REVIEWER, [
    frame('task', taskText(task)),
    frame('answer', numbered(splitText(draft), stepScores)),
    ...(stepScores === undefined ? [] : [SCORE_NOTE]),
    REVIEW_REQUEST,
  ]),
  maxTokens: 1024,
})

/** Only the last line of the reviewer's reply counts, so that a quotation from the answer never does. */
const readReview = (text: string): Critique => {
  const trimmed = text.trim()
  const last = trimmed
    .split('\n')
    .at(-1)!
    .replaceAll(/[*_`#>]/g, '')
    .trim()
  const verdict = /^verdict\s*:\s*(?:(all steps are right)|step (\d{1,3}) is wrong)\b/i.exec(last)
  if (verdict === null) return { text: trimmed, step: undefined, verdict: undefined }
  if (verdict[1] !== undefined) return { text: trimmed, step: undefined, verdict: 'right' }
  const step = Number(verdict[2])
  return { text: trimmed, step: step >= 1 ? step : undefined, verdict: 'wrong' }
}

const REFINER = 'You improve answers that other people wrote.'
const REFINE_REQUEST =
  'Write the complete answer to the task again, better. Keep what is right; change what is wrong. Give the answer alone, in the form that the task asks for, and mention neither the earlier answer nor any review.'

const describeAttempt = ({ text, critique }: Attempt): string =>
  critique === undefined ? text : `${text}\n\nWhat was said about it: ${critique}`

const refine = (
  task: Task,
  draft: string,
  critique: string | undefined,
  earlier: readonly Attempt[] = [],
): Prompt => ({
  messages: askAs(REFINER, [
    frame('task', taskText(task)),
    ...(earlier.length === 0 ? [] : ['Attempts that turned out no better:']),
    ...earlier.map((attempt) => frame('attempt', describeAttempt(attempt))),
    frame('answer', draft),
    ...(critique === undefined
      ? ['The answer may be right or wrong.']
      : ['A reviewer said about the answer:', frame('review', critique)]),
    REFINE_REQUEST,
  ]),
  maxTokens: 4096,
})

const JUDGE = 'You grade answers strictly and without regard to their length or style.'
const SCALE =
  '0 is useless, 3 has grave errors, 5 is partly right, 7 is right with small faults, 9 is right and complete.'

const judged = (task: Task, draft: string, request: string, maxTokens: number): Prompt => ({
  messages: askAs(JUDGE, [frame('task', taskText(task)), frame('answer', draft), request]),
  maxTokens,
})

const compare = (task: Task, first: string, second: string): Prompt => ({
  messages: askAs(JUDGE, [
    frame('task', taskText(task)),
    frame('answer_a', first),
    frame('answer_b', second),
    'Which answer is better, A or B? What is right counts first; the order says nothing. Reply with one word: A, B or tie.',
  ]),
  maxTokens: 4,
})

const readComparison = (text: string): 'first' | 'second' | 'tie' | undefined => {
  const word = /^[\s*_`"'([]*(A|B|tie)\b/i.exec(text)?.[1]?.toLowerCase()
  return word === undefined ? undefined : word === 'tie' ? 'tie' : word === 'a' ? 'first' : 'second'
}

const verifyVerdict = (task: Task, steps: readonly string[]): Prompt => ({
  messages: askAs(REVIEWER, [
    frame('task', taskText(task)),
    frame('answer', numbered(steps)),
    `For each of the ${steps.length} steps, give the probability that it is right, from 0 to 1, judging it by the task and the steps before it. Reply with one JSON object and nothing else: {"steps": [0.9, …]} with exactly ${steps.length} numbers.`,
  ]),
  maxTokens: 32 + 8 * steps.length,
})

const prompts: Omit<RolePrompts, 'hash'> = {
  name: 'full',
  solve: (task) => task.messages,
  review,
  readReview,
  refine,
  judgeDigit: (task, draft) =>
    judged(
      task,
      draft,
      `Grade the answer with one digit from 0 to 9. ${SCALE} Reply with the digit alone.`,
      4,
    ),
  judgeVerdict: (task, draft) =>
    judged(
      task,
      draft,
      `Grade the answer from 0 to 9. ${SCALE} Reply with one JSON object and nothing else: {"reason": "one or two sentences", "score": 0}`,
      512,
    ),
  readVerdict: readScore,
  compare,
  readComparison,
  splitSteps: splitText,
  verify: (task) => task.messages,
  verifyVerdict,
  readStepVerdict: readProbabilities,
  critique,
  verifyReport,
  readReport,
  aggregate,
  synthesise,
  select,
  readSelection,
  solveBy,
  paraphrase,
  halt,
  readHalt,
  reflection:
    '\n\nWait. I should go through this again and check every step before I settle on it.\n\n',
}

export const FULL: RolePrompts = { ...prompts, hash: hashWording(prompts) }
