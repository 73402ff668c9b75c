/**
 * The port to the role prompts: what each role is asked and how its answer is read. Sets live in `src/prompts`. Parts
 * come stable-first (question, then drafts, then the request), so that models can reuse their prefix.
 */
import type { Message, Task } from './task.ts'

export interface Prompt {
  readonly messages: readonly Message[]
  /** What the role's answer needs at most. */
  readonly maxTokens: number
  /** What the answer begins with, for a model that can go on from it; others are asked for all of it. */
  readonly continueFrom?: string
}

export interface JudgePrompt extends Prompt {
  /** Where in the reply the digit is: the first token of it, or, after thoughts, the last one. */
  readonly digitAt: 'start' | 'end'
}

export interface Critique {
  readonly text: string
  /** The first wrong step, counted from 1, where the reviewer named one. */
  readonly step: number | undefined
  /** `undefined` when no verdict could be read. */
  readonly verdict: 'right' | 'wrong' | undefined
}

/** What a strict verifier found. A gap is a claim that may be right but is not shown. */
export interface Report {
  readonly text: string
  /** The first step at fault, counted from 1, where the verifier named one. */
  readonly step: number | undefined
  /** `undefined` when no verdict could be read. */
  readonly verdict: 'pass' | 'gap' | 'critical' | undefined
}

/** Of a step and the one that a reviewer would have in its place, one is a slip: which, is asked once more. */
export interface SecondLook {
  /** Asks the reviewer; undefined where the review finds no step that it would have otherwise. */
  ask(task: Task, draft: string, review: string): Prompt | undefined
  /**
   * The review up to that step, which it now calls right, for the reviewer to go on from; undefined where the reply leaves
   * it wrong.
   */
  standing(reply: string, draft: string, review: string): string | undefined
}

/** Questions that not every set can ask: absent where a set has no words for them. */
export const PROMPT_FORMS = [
  'critique',
  'verifyReport',
  'aggregate',
  'synthesise',
  'select',
  'solveBy',
  'paraphrase',
  'halt',
  'judgeRubric',
  'solveByProgram',
  'distil',
  'solveFrom',
] as const
export type PromptForm = (typeof PROMPT_FORMS)[number]

/** An earlier version of the answer, and what was said about it. */
export interface Attempt {
  readonly text: string
  readonly critique: string | undefined
}

export interface RolePrompts {
  readonly name: string
  /** Changes with every change of wording: part of the run record. */
  readonly hash: string

  /** The task itself, as the generator sees it: the whole conversation where the model can take it. */
  solve(task: Task): readonly Message[]

  /** Asks for the first wrong step or an all-clear. `stepScores`, in [0, 1], are shown beside the steps. */
  review(task: Task, draft: string, stepScores?: readonly number[]): Prompt
  /** `draft`: the one that was reviewed. */
  readReview(text: string, draft: string): Critique
  /** Absent where a set has none. */
  readonly secondLook?: SecondLook

  /**
   * Asks for a better answer; `critique` undefined asks for one without saying what is wrong. `earlier` attempts, oldest
   * first, are shown where the set has a form for them.
   */
  refine(
    task: Task,
    draft: string,
    critique: string | undefined,
    earlier?: readonly Attempt[],
  ): Prompt

  /** Asks for one digit 0–9, at once or after thoughts on the draft. */
  judgeDigit(task: Task, draft: string): JudgePrompt
  /** Asks for a verdict as JSON, for models without log-probabilities; undefined when the set has no such form. */
  judgeVerdict(task: Task, draft: string): Prompt | undefined
  /** Score in [0, 9] from a verdict on `draft`, undefined when it cannot be read. */
  readVerdict(text: string, draft: string): number | undefined

  /** Asks for one digit per criterion, as JSON. */
  judgeRubric?(task: Task, draft: string, criteria: readonly string[]): Prompt
  /** One score in [0, 9] for each of `count` criteria, undefined when they cannot be read. */
  readRubric?(text: string, count: number): readonly number[] | undefined

  /** Asks which of two answers is better. */
  compare(task: Task, first: string, second: string): Prompt
  /** `first` and `second`: the ones that were compared. */
  readComparison(
    text: string,
    first: string,
    second: string,
  ): 'first' | 'second' | 'tie' | undefined

  /** The steps of a solution, in order, as `LanguageModel.scoreSteps` takes them. */
  splitSteps(draft: string): readonly string[]
  /** Prompt under which a step-scoring model reads the steps. */
  verify(task: Task): readonly Message[]
  /** Asks a critic for a JSON list with one number per step, for models without step scores. */
  verifyVerdict(task: Task, steps: readonly string[]): Prompt | undefined
  readStepVerdict(text: string, steps: number): readonly number[] | undefined

  /** Asks for remarks on the draft, with neither aspects nor a verdict. */
  critique?(task: Task, draft: string): Prompt
  /** Asks a verifier who does not solve for a report that tells critical errors from justification gaps. */
  verifyReport?(task: Task, draft: string): Prompt
  /** `draft`: the one that the report is about. */
  readReport(text: string, draft: string): Report
  /** Asks for one better answer out of several candidates, which may all be wrong. */
  aggregate?(task: Task, drafts: readonly string[]): Prompt
  /** Asks for an answer of its own with the answers of others as references. */
  synthesise?(task: Task, drafts: readonly string[]): Prompt
  /** Asks for a workspace of at most `maxTokens`: what of the answers whoever writes the next one should know. */
  distil?(task: Task, drafts: readonly string[], maxTokens: number): Prompt
  /** Asks for an answer with such a workspace at hand. */
  solveFrom?(task: Task, workspace: string): Prompt
  /** Asks which of the candidates agrees most with the others. */
  select?(task: Task, drafts: readonly string[]): Prompt
  /** Index from 0 of the candidate that was named, undefined when the reply names none of `drafts` many. */
  readSelection(text: string, drafts: number): number | undefined

  /** The task, to be begun in the way that the guideline says. */
  solveBy?(task: Task, guideline: string): Prompt
  /** The task, to be solved by a JavaScript program that prints the answer, in one fenced block. */
  solveByProgram?(task: Task): Prompt
  /** Asks for the question in other words. */
  paraphrase?(task: Task): Prompt
  /** Asks whether the candidates there are make more work needless. */
  halt?(task: Task, drafts: readonly string[]): Prompt
  /** Whether it said so, undefined when it cannot be read. */
  readHalt(text: string): boolean | undefined

  /** The sentence that makes a model look again at what it wrote (ID-sampling's trigger). */
  readonly reflection: string
  /** What a model is made to say when it is to give its answer at once; the answer follows on the same line. */
  readonly answerCue: string
}
