/** The questions of the full set, each with its wording in a file of `src/prompts/full`, and other wordings for them. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { invalidField, RefineError } from '../core/errors.ts'
import { parseTemplate, type Question, type Template } from './template.ts'

const onOne: Question = { required: ['task', 'answer'] }
const onAll: Question = { required: ['task', 'answers'], optional: ['count'] }

const QUESTIONS = {
  review: { ...onOne, optional: ['scores'] },
  refine: { required: ['task', 'answer', 'critique'], optional: ['attempts'] },
  judge_digit: onOne,
  judge_verdict: onOne,
  judge_rubric: { required: ['task', 'answer', 'criteria'], optional: ['count'] },
  compare: { required: ['task', 'answer_a', 'answer_b'] },
  step_verdict: { ...onOne, optional: ['count'] },
  critique: onOne,
  report: onOne,
  aggregate: onAll,
  synthesise: onAll,
  select: onAll,
  halt: onAll,
  distil: { required: ['task', 'answers'], optional: ['count', 'words'] },
  solve_from: { required: ['task', 'notes'] },
  paraphrase: { required: ['question'] },
  solve_by: { required: ['question', 'guideline'], hasSystem: false },
  solve_by_program: { required: ['question'], hasSystem: false },
  reflection: { required: [], hasSystem: false },
  answer_cue: { required: [], hasSystem: false },
} as const satisfies Readonly<Record<string, Question>>
export type QuestionName = keyof typeof QUESTIONS

/** Texts by the name of the question; what is absent keeps its wording. */
export type Wordings = Readonly<Record<string, string>>
export type Templates = Readonly<Record<QuestionName, Template>>

/** Longer ones would break the worst cases that strategies promise (`WORDING_TOKENS`). */
const MOST_BYTES = 1600
/** The same for what is put into an answer: the reflection several times. */
const MOST_INSERTED_BYTES = 120
const INSERTED: readonly QuestionName[] = ['reflection', 'answer_cue']

const isQuestion = (name: string): name is QuestionName => Object.hasOwn(QUESTIONS, name)

const parse = (name: string, text: string, pointer: string): Template => {
  if (!isQuestion(name)) {
    const known = Object.keys(QUESTIONS).join(', ')
    throw invalidField(pointer, `is not a question; there are: ${known}`)
  }
  const most = INSERTED.includes(name) ? MOST_INSERTED_BYTES : MOST_BYTES
  if (Buffer.byteLength(text) > most) throw invalidField(pointer, `takes more than ${most} bytes`)
  return parseTemplate(text, QUESTIONS[name], pointer)
}

/**
 * The templates with other wordings in their place; a wording without a system message keeps the one there is.
 * @throws RefineError invalid_request below `pointer`, naming the question and what is wrong with its wording.
 */
export const withWordings = (
  templates: Templates,
  wordings: Wordings,
  pointer: string,
): Templates => {
  const changed = Object.entries(wordings).map(([name, text]) => {
    const { system, paragraphs } = parse(name, text, `${pointer}/${name}`)
    return [name, { system: system ?? templates[name as QuestionName].system, paragraphs }] as const
  })
  return { ...templates, ...Object.fromEntries(changed) }
}

/**
 * The wordings in a folder: one file `<question>.md` each.
 * @throws RefineError invalid_request when it cannot be read.
 */
export const readWordings = (folder: string): Wordings => {
  try {
    const files = readdirSync(folder).filter((name) => name.endsWith('.md'))
    return Object.fromEntries(
      files.map((file) => [
        path.basename(file, '.md'),
        readFileSync(path.join(folder, file), 'utf8').trim(),
      ]),
    )
  } catch (cause) {
    throw new RefineError(
      'invalid_request',
      `The prompts in ${folder} cannot be read: ${(cause as Error).message}`,
      { cause },
    )
  }
}

/** The files are read from the source, as they stand, like those of the playground. */
const FOLDER = path.resolve(import.meta.dirname, '../../../src/prompts/full')

export const FULL_TEMPLATES: Templates = Object.fromEntries(
  Object.entries(readWordings(FOLDER)).map(([name, text]) => [name, parse(name, text, `/${name}`)]),
) as unknown as Templates
