/**
 * Role prompts for general chat models; the words are in `full/`, one file for each question. Guard rails from the
 * literature: drafts are shown as another author's work (models overlook their own errors, Tsui 2025), the question is
 * restated and nobody is told to be wrong without a reason (sycophantic flips, Huang et al. 2023), reviewers must locate
 * the first error (Tyen et al. 2024), judges see neither names nor round numbers. Foreign text stands between tags it
 * cannot contain (`material.ts`). Candidates stand in the order given, behind the task and before the request: runs that
 * show the same candidates share the beginning of their prompts.
 */
import type { Attempt, Prompt, RolePrompts } from '../core/prompts.ts'
import { contentText, imagesOf, type Message } from '../core/conversation.ts'
import { questionOf, reworded, type Task } from '../core/task.ts'
import { askAs, frame, numbered, splitText, taskText } from './material.ts'
import {
  readComparison,
  readGrades,
  readHalt,
  readProbabilities,
  readReport,
  readReview,
  readScore,
  readSelection,
} from './verdict.ts'
import { render, type Values } from './template.ts'
import { hashWording } from './wording-hash.ts'
import { FULL_TEMPLATES, type QuestionName, type Templates } from './wordings.ts'

const describeAttempt = ({ text, critique }: Attempt): string =>
  critique === undefined ? text : `${text}\n\nWhat was said about it: ${critique}`

const candidates = (drafts: readonly string[]): string =>
  drafts.map((draft, index) => frame(`answer_${index + 1}`, draft)).join('\n\n')

/** The task and one answer to it. */
const shown = (task: Task, answer: string): Values => ({
  task: frame('task', taskText(task)),
  answer: frame('answer', answer),
})

const onSteps = (task: Task, steps: readonly string[], scores?: readonly number[]): Values => ({
  ...shown(task, numbered(steps, scores)),
  count: String(steps.length),
  ...(scores === undefined ? {} : { scores: '' }),
})

const onAll = (task: Task, drafts: readonly string[]): Values => ({
  task: frame('task', taskText(task)),
  answers: candidates(drafts),
  count: String(drafts.length),
})

/** The conversation stays as it is; the guideline stands behind the question. */
const guided = (templates: Templates, task: Task, guideline: string): Prompt => {
  const text = render(templates.solve_by, { question: questionOf(task), guideline })
  return { messages: reworded(task, text).messages, maxTokens: 4096 }
}

const programmed = (templates: Templates, task: Task): Prompt => {
  const text = render(templates.solve_by_program, { question: questionOf(task) })
  return { messages: reworded(task, text).messages, maxTokens: 4096 }
}

/** Fewer than what fits, so that the notes end before they are cut. */
const WORDS_PER_TOKEN = 0.6

type Ask = (task: Task, question: QuestionName, values: Values, maxTokens: number) => Prompt

/** The images of the task stand before what is asked; a model without eyes is told where they were (`runs/adapted-model.ts`). */
const withImages = (messages: readonly Message[], task: Task): readonly Message[] => {
  const images = imagesOf(task.messages)
  if (images.length === 0) return messages
  return messages.map((message) =>
    message.role === 'user'
      ? { role: 'user', content: [...images, { type: 'text', text: contentText(message) }] }
      : message,
  )
}

const onOneAnswer = (ask: Ask) =>
  ({
    review: (task, draft, scores) =>
      ask(task, 'review', onSteps(task, splitText(draft), scores), 1024),
    refine: (task, draft, critique, earlier = []) => {
      const attempts = earlier.map((attempt) => frame('attempt', describeAttempt(attempt)))
      const said = critique === undefined ? {} : { critique: frame('review', critique) }
      const tried = attempts.length === 0 ? {} : { attempts: attempts.join('\n\n') }
      return ask(task, 'refine', { ...shown(task, draft), ...said, ...tried }, 4096)
    },
    judgeDigit: (task, draft) => ({
      ...ask(task, 'judge_digit', shown(task, draft), 4),
      digitAt: 'start',
    }),
    judgeVerdict: (task, draft) => ask(task, 'judge_verdict', shown(task, draft), 512),
    judgeRubric: (task, draft, criteria) => {
      const listed = criteria.map((criterion, at) => `${at + 1}. ${criterion}`).join('\n')
      const values = { criteria: listed, count: String(criteria.length) }
      return ask(
        task,
        'judge_rubric',
        { ...shown(task, draft), ...values },
        32 + 8 * criteria.length,
      )
    },
    verifyVerdict: (task, steps) =>
      ask(task, 'step_verdict', onSteps(task, steps), 32 + 8 * steps.length),
    critique: (task, draft) => ask(task, 'critique', shown(task, draft), 1024),
    verifyReport: (task, draft) => ask(task, 'report', onSteps(task, splitText(draft)), 1024),
  }) satisfies Partial<RolePrompts>

const onAnswers = (ask: Ask) =>
  ({
    compare: (task, first, second) => {
      const answers = { answer_a: frame('answer_a', first), answer_b: frame('answer_b', second) }
      return ask(task, 'compare', { ...shown(task, ''), ...answers }, 4)
    },
    aggregate: (task, drafts) => ask(task, 'aggregate', onAll(task, drafts), 4096),
    synthesise: (task, drafts) => ask(task, 'synthesise', onAll(task, drafts), 4096),
    distil: (task, drafts, maxTokens) => {
      const words = String(Math.max(1, Math.floor(maxTokens * WORDS_PER_TOKEN)))
      return ask(task, 'distil', { ...onAll(task, drafts), words }, maxTokens)
    },
    solveFrom: (task, workspace) => {
      const shownTask = frame('task', taskText(task))
      return ask(task, 'solve_from', { task: shownTask, notes: frame('notes', workspace) }, 4096)
    },
    select: (task, drafts) => ask(task, 'select', onAll(task, drafts), 16),
    halt: (task, drafts) => ask(task, 'halt', onAll(task, drafts), 8),
  }) satisfies Partial<RolePrompts>

/** The full set in the words of these templates. */
export const createFull = (name: string, templates: Templates): RolePrompts => {
  const ask: Ask = (task, question, values, maxTokens) => {
    const template = templates[question]
    const messages = askAs(template.system ?? '', render(template, values))
    return { messages: withImages(messages, task), maxTokens }
  }
  const prompts: Omit<RolePrompts, 'hash'> = {
    name,
    solve: (task) => task.messages,
    ...onOneAnswer(ask),
    ...onAnswers(ask),
    readReview,
    readVerdict: readScore,
    readRubric: readGrades,
    readComparison,
    splitSteps: splitText,
    verify: (task) => task.messages,
    readStepVerdict: readProbabilities,
    readReport,
    readSelection,
    readHalt,
    solveBy: (task, guideline) => guided(templates, task, guideline),
    solveByProgram: (task) => programmed(templates, task),
    paraphrase: (task) =>
      ask(task, 'paraphrase', { question: frame('task', questionOf(task)) }, 1024),
    reflection: `\n\n${render(templates.reflection, {})}\n\n`,
    answerCue: `\n\n${render(templates.answer_cue, {})} `,
  }
  return { ...prompts, hash: hashWording(prompts) }
}

export const FULL: RolePrompts = createFull('full', FULL_TEMPLATES)
